"""Does the time of a refused sign-in reveal whether the login exists? It must not.

    uv run python benchmarks/sign_in.py [--attempts 40]

Starts `gqlapi serve` on a free port of this machine over a temporary SQLite database, with the limits on attempts out
of the way, and signs a few users up. Then it signs in with wrong passwords: so many attempts with known logins and as
many with unknown ones, mixed at random, one at a time over one connection.

It prints the times of both, and in how many of all pairs of one of each the known login took longer: about 50 % when
nothing can be learnt from the time, towards 0 or 100 % if one attempt reveals it. With few attempts the share strays
from 50 % by chance; the line below it says how far (two standard deviations).
"""

import argparse
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx

KNOWN_USERS = 5
WARM_UP = 6
START_SECONDS = 60
STOP_SECONDS = 30
SIGN_UP = "mutation($input: SignUpInput!) { result: signUp(input: $input) { errors { code } } }"
SIGN_IN = "mutation($input: SignInInput!) { result: signIn(input: $input) { errors { code } } }"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=40, help="of each kind; default 40")
    attempts = max(2, parser.parse_args().attempts)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as client:
        known, unknown = measure(client, attempts)
    sys.stdout.write(report(known, unknown) + "\n")


@contextmanager
def serving(folder: Path) -> Iterator[httpx.Client]:
    """Run a server of one process in a folder, and yield a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")} | {
        "GQLAPI_DATABASE_URL": f"sqlite:///{folder / 'benchmark.db'}",
        "GQLAPI_SECRET_KEY": secrets.token_urlsafe(32),
        "GQLAPI_SIGN_IN_LIMIT": "1000000/minute",
        "GQLAPI_SIGN_IN_ADDRESS_LIMIT": "1000000/minute",
        "GQLAPI_SIGN_UP_LIMIT": "1000000/minute",
        "GQLAPI_LOG_LEVEL": "error",
        "GQLAPI_STOP_GRACE_SECONDS": "0",
    }
    command = [sys.executable, "-m", "gqlapi"]
    subprocess.run([*command, "migrate"], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603 - our own command
    arguments = ["serve", "--workers", "1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, *arguments], cwd=folder, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own command
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as client:
            wait_until_ready(client, server)
            yield client
    finally:
        server.terminate()
        server.wait(STOP_SECONDS)


def wait_until_ready(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers; end the program when it does not."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    sys.exit("The server did not start.")


def measure(client: httpx.Client, attempts: int) -> tuple[list[float], list[float]]:
    """Return how many milliseconds each refused sign-in took, with known and with unknown logins."""
    for number in range(KNOWN_USERS):
        name = f"known{number}"
        errors = send(client, SIGN_UP, username=name, email=f"{name}@example.com", password="a right password")  # noqa: S106 - of no user
        if errors:
            sys.exit(f"Sign-up failed: {errors}")
    kinds = [True, False] * attempts
    random.shuffle(kinds)
    times: dict[bool, list[float]] = {True: [], False: []}
    for is_known in [True, False] * (WARM_UP // 2):
        attempt(client, is_known=is_known)
    for is_known in kinds:
        times[is_known].append(attempt(client, is_known=is_known))
    return times[True], times[False]


def attempt(client: httpx.Client, *, is_known: bool) -> float:
    """Return how many milliseconds one refused sign-in took; known and unknown logins look alike."""
    name = f"{'known' if is_known else 'other'}{random.randrange(KNOWN_USERS)}"  # noqa: S311 - no secret
    started = time.perf_counter()
    errors = send(client, SIGN_IN, login=name, password="a wrong password")  # noqa: S106 - of no user
    milliseconds = (time.perf_counter() - started) * 1000
    if [error["code"] for error in errors] != ["UNAUTHENTICATED"]:
        sys.exit(f"A sign-in was not refused as expected: {errors}")
    return milliseconds


def send(client: httpx.Client, query: str, **given: str) -> list[dict[str, Any]]:
    """Send a mutation, and return the errors of its payload."""
    response = client.post("/graphql", json={"query": query, "variables": {"input": given}})
    response.raise_for_status()
    errors: list[dict[str, Any]] = response.json()["data"]["result"]["errors"]
    return errors


def report(known: list[float], unknown: list[float]) -> str:
    """Return the figures as lines of text."""
    lines = [f"{'milliseconds':<14}{'min':>8}{'median':>8}{'p90':>8}{'max':>8}"]
    for name, times in (("known login", known), ("unknown login", unknown)):
        p90 = statistics.quantiles(times, n=10, method="inclusive")[-1]
        figures = (min(times), statistics.median(times), p90, max(times))
        lines.append(f"{name:<14}" + "".join(f"{figure:8.1f}" for figure in figures))
    overlap = max(min(known), min(unknown)) <= min(max(known), max(unknown))
    medians = statistics.median(known), statistics.median(unknown)
    longer = sum((one > other) + (one == other) / 2 for one, other in product(known, unknown))
    share = longer / (len(known) * len(unknown))
    # The standard deviation of that share when both come from one distribution (Mann and Whitney).
    deviation = ((len(known) + len(unknown) + 1) / (12 * len(known) * len(unknown))) ** 0.5
    lines += [
        f"the distributions {'overlap' if overlap else 'do not overlap'}",
        f"the medians differ by {abs(medians[0] / medians[1] - 1):.1%}",
        f"the known login took longer in {share:.0%} of all pairs",
        f"by chance alone: {0.5 - 2 * deviation:.0%} to {0.5 + 2 * deviation:.0%}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
