"""The parameters that libpq takes in a URL, as asyncpg takes them; what asyncpg cannot do is refused, not ignored.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

# SQLAlchemy hands these to asyncpg as they are.
ADDRESS = frozenset({"host", "port", "user", "password", "database"})
ALIASES = {"dbname": "database", "ssl": "sslmode", "timeout": "connect_timeout"}
# asyncpg reads these from a DSN only.
IN_DSN = frozenset(
    {
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
        *("passfile", "service", "krbsrvname", "gsslib"),
    }
)
# Settings of the session, which go to the server.
IN_SESSION = frozenset({"application_name", "options"})
NUMBERS = frozenset(
    {
        *("connect_timeout", "statement_cache_size", "prepared_statement_cache_size"),
        *("max_cached_statement_lifetime", "max_cacheable_statement_size"),
    }
)
# What makes no difference to us: asyncpg binds no channels, and our name is that of the application.
DROPPED = frozenset({"channel_binding", "fallback_application_name"})
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),
}
# Parameters that asyncpg has not, with the values that ask for what it does anyway.
ANYWAY = {"gssencmode": ("disable", "prefer"), "client_encoding": ("utf8", "utf-8", "unicode", "auto")}


def check_parameters(query: Mapping[str, str | tuple[str, ...]]) -> dict[str, str]:
    """Return the parameters of a URL that are passed on, by libpq's names; of one that is given twice, the last.

    Raises:
        ValueError: one is unknown, or has a wrong value.
    """
    checked: dict[str, str] = {}
    for given, value in query.items():
        name = ALIASES.get(given, given)
        if name in DROPPED or not value:
            continue
        text = value if isinstance(value, str) else _join(name, value)
        if name in ANYWAY:
            _check_choice(name, text.lower(), ANYWAY[name])
            continue
        _check(name, text)
        checked[name] = text
    return checked


def _join(name: str, values: tuple[str, ...]) -> str:
    """Return the value of a parameter that is given several times: several hosts, or the last."""
    return ",".join(values) if name in {"host", "port"} else values[-1]


def _check(name: str, text: str) -> None:
    if name in NUMBERS:
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"`{name}` must be a whole number")
    elif name == "port":
        if not all(port.isascii() and port.isdecimal() for port in text.split(",")):
            raise ValueError("`port` must be a whole number")
    elif name in CHOICES:
        _check_choice(name, text, CHOICES[name])
    elif name not in ADDRESS | IN_DSN | IN_SESSION:
        raise ValueError(f"the parameter `{name}` is not supported; remove it")


def _check_choice(name: str, text: str, choices: tuple[str, ...]) -> None:
    if text not in choices:
        raise ValueError(f"`{name}` must be {', '.join(choices[:-1])} or {choices[-1]}")


def driver_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return asyncpg's arguments for those of SQLAlchemy, among which are the checked parameters of a URL.

    A URL goes before our own settings: it has the wait for a connection, and the name of the application.
    """
    driver = {name: value for name, value in arguments.items() if name not in IN_DSN | IN_SESSION | NUMBERS}
    if in_dsn := {name: arguments[name] for name in sorted(IN_DSN & arguments.keys())}:
        driver["dsn"] = f"postgresql://?{urlencode(in_dsn)}"
    if in_session := {name: arguments[name] for name in IN_SESSION & arguments.keys()}:
        driver["server_settings"] = {**driver.get("server_settings", {}), **in_session}
    numbers = {name: int(arguments[name]) for name in NUMBERS & arguments.keys()}
    if seconds := numbers.pop("connect_timeout", 0):  # 0 is libpq's for any length of time, which we do not wait
        numbers["timeout"] = seconds
    return driver | numbers
