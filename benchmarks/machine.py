"""The machine and the versions that a report names."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "gqlapi",
    "graphql-core",
    "strawberry-graphql",
    "sqlalchemy",
    "asyncpg",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "orjson",
)
GIGABYTE = 1024**3


def describe(wrk: str, postgres: str) -> dict[str, str]:
    """Return facts by their names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    return {
        "machine": f"{_processor()}, {os.cpu_count()} processors, {memory:.0f} GB, {platform.system()} "
        f"{platform.release()}; wrk, server and PostgreSQL share it",
        "commit": _commit(),
        "versions": ", ".join(
            [f"Python {platform.python_version()}", f"PostgreSQL {postgres}", *map(_package, PACKAGES), wrk]
        ),
    }


def _processor() -> str:
    match = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is missing"


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603 - our own
