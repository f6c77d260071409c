"""Why a file is not imported.

Unreadable        something about the file is wrong
└── NotAPost      the file is left out on purpose
"""

from typing import ClassVar


class Unreadable(Exception):
    """A file cannot be imported; the message says why."""

    is_bad: ClassVar[bool] = True


class NotAPost(Unreadable):
    """A file is not one to be imported; the message says why."""

    is_bad: ClassVar[bool] = False


def first_line(error: BaseException) -> str:
    """Return what a parser says is wrong, on one line."""
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(problem).partition("\n")[0]
