"""Building the bundle beside a development server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gqlapi.http.graphiql.build import INSTALLING, SOURCE, BuildFailed, build_bundle, find_node, source_stamp
from gqlapi.http.graphiql.bundle import BUNDLES
from gqlapi.http.graphiql.fallback import REMEDY
from gqlapi.http.graphiql.progress import ProgressFile

STOP_TIMEOUT_SECONDS = 5.0

logger = structlog.get_logger()


@contextmanager
def building_in_background() -> Iterator[None]:
    """Build the bundle while the block runs if this is a checkout without one; cancel the build at its end."""
    if not SOURCE.is_dir() or (BUNDLES / source_stamp()).is_dir():
        yield
        return
    if find_node() is None:
        logger.warning("graphiql is not built: Node.js and npm are missing", fix=REMEDY)
        yield
        return
    cancelled = threading.Event()
    progress = ProgressFile(BUNDLES)
    progress(INSTALLING)  # before the first request
    thread = threading.Thread(target=_build, args=[cancelled, progress], name="graphiql", daemon=True)
    thread.start()
    try:
        yield
    finally:
        cancelled.set()
        thread.join(STOP_TIMEOUT_SECONDS)


def _build(cancelled: threading.Event, progress: ProgressFile) -> None:
    logger.info("graphiql is being built; its page shows the progress")
    started = time.monotonic()
    try:
        build_bundle(cancelled=cancelled, report=progress)
    except (BuildFailed, OSError) as error:
        if not cancelled.is_set():
            logger.warning("graphiql was not built; its page loads from a CDN", reason=str(error))
    else:
        logger.info("graphiql is built", seconds=round(time.monotonic() - started, 1))
    finally:
        progress.remove()
