"""Checks of the machine: the address to listen on, and the processors."""

import errno
import http.client
import socket
from pathlib import Path

from gqlapi.accounts.passwords import processors
from gqlapi.doctor.finding import Finding, error, ok, plural, warning
from gqlapi.doctor.servers import workers_of
from gqlapi.settings import Settings

PROBE_SECONDS = 1.0
LISTENING = "0A"
OTHER_ADDRESS = "Choose another address with GQLAPI_HOST and GQLAPI_PORT."


def examine_machine(settings: Settings) -> list[Finding]:
    """Run all checks of the machine; this may take a second, and blocks."""
    return [check_address(settings.host, settings.port), check_workers(workers_of(settings), processors())]


def check_address(host: str, port: int) -> Finding:
    """Try to listen."""
    shown = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as failure:
        if failure.errno != errno.EADDRINUSE:
            return error("D201", f"Cannot listen on {shown}: {failure.strerror}.", OTHER_ADDRESS)
    else:
        return ok("D201", f"{shown} is free.")
    user = listener_of(port) or "another process"
    if _is_gqlapi(host, port):
        return warning("D201", f"A gqlapi already answers on {shown} ({user}).", "Stop it before starting another.")
    return error("D201", f"{shown} is used by {user}.", f"Stop it. {OTHER_ADDRESS}")


def check_workers(workers: int, available: int) -> Finding:
    """Compare the processes with the processors."""
    found = f"{plural(workers, 'worker')} on {plural(available, 'processor')}."
    if workers > available:
        return warning("D202", found, f"Set GQLAPI_WORKERS to at most {available}; more only share the processors.")
    return ok("D202", found)


def listener_of(port: int, proc: Path = Path("/proc")) -> str:
    """Name the process that listens on a port; empty if the system does not report it."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, state, *rest = row.split()
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{rest[5]}]")
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return f"process {process.name}, {(process / 'comm').read_text().strip()}"
        except OSError:  # of another user, or gone
            continue
    return ""


def _is_gqlapi(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return response.read(100) == b'{"status":"ok"}' and "x-request-id" in response.headers
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
