"""The passwords that attackers try first, from the lists of zxcvbn."""

import runpy
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from gqlapi.words import fold


def is_common(password: str) -> bool:
    """Whether many people use a password, in any case and width; a lookup, which costs the same for any password."""
    return fold(password.strip()) in common_passwords()


@cache
def common_passwords() -> frozenset[str]:
    """Return the 30,000 most used passwords, in lower case; the first call takes 50 ms.

    Only the file with the lists is run: the package's estimate takes quadratic time, and it keeps 12 MB in memory.
    """
    package = find_spec("zxcvbn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("zxcvbn is not installed", name="zxcvbn")
    lists = runpy.run_path(str(Path(package.origin).with_name("frequency_lists.py")))
    return frozenset(lists["FREQUENCY_LISTS"]["passwords"])
