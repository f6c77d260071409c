"""What a check found."""

from dataclasses import dataclass, field
from enum import StrEnum

# Stable codes: D0.. settings, D1.. database, D11. SQLite, D2.. machine.
CHECKS = {
    "D001": "settings",
    "D002": "secret key",
    "D003": "GraphiQL",
    "D004": "CORS",
    "D005": "proxies",
    "D101": "database",
    "D102": "migrations",
    "D103": "database version",
    "D104": "encoding",
    "D105": "durability",
    "D106": "connections",
    "D107": "clock",
    "D108": "demo logins",
    "D109": "pooler",
    "D110": "replicas",
    "D111": "journal",
    "D112": "disk space",
    "D113": "writing",
    "D121": "search",
    "D122": "look-alikes",
    "D123": "documents",
    "D201": "address",
    "D202": "workers",
}


class Severity(StrEnum):
    """How bad it is: with an error the server does not work, or not as it must."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check, and the fix unless it is ok."""

    code: str
    severity: Severity
    found: str
    fix: str = ""
    check: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "check", CHECKS[self.code])

    def __str__(self) -> str:
        """Return one line."""
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{self.code} {self.severity:<7} {self.check}: {self.found}{fix}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ok(code: str, found: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(code, Severity.OK, found)


def warning(code: str, found: str, fix: str) -> Finding:
    """Return a warning."""
    return Finding(code, Severity.WARNING, found, fix)


def error(code: str, found: str, fix: str) -> Finding:
    """Return an error."""
    return Finding(code, Severity.ERROR, found, fix)
