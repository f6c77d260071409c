"""Building of the bundle while a developer's server is already answering."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gqlapi.http.graphiql.build import SOURCE, BuildFailed, build_bundle, source_stamp
from gqlapi.http.graphiql.bundle import BUNDLES

STOP_TIMEOUT_SECONDS = 5.0

logger = structlog.get_logger()


@contextmanager
def building_in_background() -> Iterator[None]:
    """Build the bundle while the block runs, if this is a checkout without one; at its end a build is given up."""
    if not SOURCE.is_dir() or (BUNDLES / source_stamp()).is_dir():
        yield
        return
    cancelled = threading.Event()
    thread = threading.Thread(target=_build, args=[cancelled], name="graphiql", daemon=True)
    thread.start()
    try:
        yield
    finally:
        cancelled.set()
        thread.join(STOP_TIMEOUT_SECONDS)


def _build(cancelled: threading.Event) -> None:
    logger.info("graphiql is being built; until then its page loads from a CDN")
    started = time.monotonic()
    try:
        build_bundle(cancelled=cancelled)
    except (BuildFailed, OSError) as error:
        if not cancelled.is_set():
            logger.warning("graphiql was not built: its page loads from a CDN", reason=str(error))
    else:
        logger.info("graphiql is built: reload its page", seconds=round(time.monotonic() - started, 1))
