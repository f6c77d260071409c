"""Database URLs in the forms that hosting providers hand out."""

import re
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from gqlapi.database.libpq import check_parameters

ASYNC_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
# What SQLite takes beside the path; with `uri`, the rest belongs to the URI of the file.
SQLITE_PARAMETERS = frozenset({"timeout", "cached_statements", "check_same_thread", "uri"})
# Parameters that drivers accept a secret in.
SECRETS = frozenset({"password", "sslpassword", "passfile"})
SEVERAL_HOSTS = re.compile(
    r"(?P<before>postgres(?:ql)?(?:\+\w+)?://(?:[^@]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>(?:[/?].*)?)", re.DOTALL
)
HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")
DEFAULT_PORT = "5432"
ESCAPE = "the host and the port cannot be read; escape special characters of the password (%40 for @, %2F for /)"


def normalize_url(text: str) -> str:
    """Turn `postgres://`, `postgresql://` and `sqlite://` URLs, with libpq's parameters, into our drivers' form.

    Raises:
        ValueError: the URL cannot be parsed, names another database, or has a parameter that is not supported.
    """
    url = _parse(text)
    backend = url.get_backend_name()
    if backend not in ASYNC_DRIVERS:
        raise ValueError(f"{backend} is not supported; use sqlite or postgresql")
    url = _with_sqlite_file(url) if backend == "sqlite" else _with_libpq_parameters(url)
    return url.set(drivername=ASYNC_DRIVERS[backend]).render_as_string(hide_password=False)


def _parse(text: str) -> sa.URL:
    hosts: dict[str, str] = {}
    if found := SEVERAL_HOSTS.fullmatch(text):
        text, hosts = found["before"] + found["after"], _split_hosts(found["hosts"])
    if text.startswith("postgres://"):
        text = text.replace("postgres://", "postgresql://", 1)
    try:
        return sa.make_url(text).update_query_dict(hosts)
    except ArgumentError as error:
        raise ValueError("the database URL cannot be parsed") from error
    except ValueError:  # a port that is no number; its text may be a part of the password
        raise ValueError(ESCAPE) from None


def _split_hosts(text: str) -> dict[str, str]:
    """Return several hosts and their ports as two parameters, which libpq takes as well."""
    found = [HOST_AND_PORT.fullmatch(part) for part in text.split(",")]
    if not all(match and match["host"] for match in found):
        raise ValueError(ESCAPE)
    matches = [match for match in found if match]
    return {
        "host": ",".join(match["host"].strip("[]") for match in matches),
        "port": ",".join(match["port"] or DEFAULT_PORT for match in matches),
    }


def _with_ports(hosts: str, ports: str) -> dict[str, str]:
    """Return several hosts with a port for each, as SQLAlchemy wants them; one port is that of all."""
    if not ports:
        return _split_hosts(hosts)
    count = hosts.count(",") + 1
    ports = ports if "," in ports else ",".join([ports] * count)
    if ports.count(",") + 1 != count:
        raise ValueError("`host` and `port` must name as many of each")
    return {"host": hosts, "port": ports}


def _with_sqlite_file(url: sa.URL) -> sa.URL:
    if url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file: several connections read and write it")
    unknown = sorted(url.query.keys() - SQLITE_PARAMETERS)
    if unknown and "uri" not in url.query:
        raise ValueError(f"the parameter `{unknown[0]}` is not supported; remove it")
    return url


def _with_libpq_parameters(url: sa.URL) -> sa.URL:
    # An @ that is not escaped ends the password too early.
    if "@" in f"{url.host}{url.database}":
        raise ValueError(ESCAPE)
    query = check_parameters(url.query)
    if "," in query.get("host", ""):
        query |= _with_ports(query["host"], query.get("port", ""))
    if url.host and unquote(url.host).startswith("/"):  # a Unix socket, as libpq takes it
        query["host"] = unquote(url.host)
        url = url.set(host="")
    return url.set(query=query)


def mask_url(text: str) -> str:
    """Return a URL that can be shown: its password is replaced by `***`."""
    url = sa.make_url(text)
    query = {name: "***" if name in SECRETS else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)
