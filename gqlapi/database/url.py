"""Database URLs in the forms that hosting providers hand out."""

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

ASYNC_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
# libpq's names for what asyncpg takes under another name, or not at all.
RENAMED = {"sslmode": "ssl", "connect_timeout": "timeout"}
DROPPED = frozenset({"channel_binding", "gssencmode"})
# Parameters that drivers accept a secret in.
SECRETS = frozenset({"password", "sslpassword", "passfile"})


def normalize_url(text: str) -> str:
    """Turn `postgres://`, `postgresql://` and `sqlite://` URLs, with libpq's parameters, into our drivers' form.

    Raises:
        ValueError: the URL cannot be parsed, or names another database.
    """
    try:
        url = sa.make_url(text.replace("postgres://", "postgresql://", 1) if text.startswith("postgres://") else text)
    except ArgumentError as error:
        raise ValueError("the database URL cannot be parsed") from error
    backend = url.get_backend_name()
    if backend not in ASYNC_DRIVERS:
        raise ValueError(f"{backend} is not supported; use sqlite or postgresql")
    if backend == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file: several connections read and write it")
    query = {RENAMED.get(name, name): value for name, value in url.query.items() if name not in DROPPED}
    return url.set(drivername=ASYNC_DRIVERS[backend], query=query).render_as_string(hide_password=False)


def mask_url(text: str) -> str:
    """Return a URL that can be shown: its password, wherever it stands, becomes `***`."""
    url = sa.make_url(text)
    query = {name: "***" if name in SECRETS else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)
