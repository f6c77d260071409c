"""The export to Prometheus: on a separate port, or as text for a path of the API."""

import os
import shutil
import tempfile
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gqlapi.telemetry.families import worker_deaths

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Set for workers: their values are in files of this folder, and another process exports them.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# In memory, and writable where the file system is not.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a random name


class Exporter:
    """Serves a registry on a port, in a thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Serve nothing before `start`."""
        self._registry = registry
        self._served: tuple[WSGIServer, Thread] | None = None

    def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: nothing can listen on the address.
        """
        self._served = start_http_server(port, host, self._registry)

    def stop(self) -> None:
        """Stop to listen."""
        if self._served is not None:
            server, thread = self._served
            server.shutdown()
            server.server_close()
            thread.join()


class WorkersExporter(Exporter):
    """Serves the sums of all workers, from their supervisor; it answers while the workers are busy."""

    def __init__(self) -> None:
        """Create the folder of the workers' files, and name it in the environment that they inherit."""
        parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
        self._folder = tempfile.mkdtemp(prefix="gqlapi-metrics-", dir=parent)
        registry = joined_registry(self._folder)
        self._deaths = worker_deaths(registry)
        # After the counter above, which is kept in this process.
        os.environ[FOLDER_VARIABLE] = self._folder
        super().__init__(registry)

    def note_end(self, pid: int, *, has_died: bool) -> None:
        """Leave a worker that has ended out of the gauges; its counts remain."""
        mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call] # it has no annotations
        if has_died:
            self._deaths.inc()

    def stop(self) -> None:
        """Stop to listen, and remove the files."""
        super().stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def joined_registry(folder: str) -> CollectorRegistry:
    """Return a registry of the values that several processes have written to a folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call] # it has no annotations
    return registry


def is_one_of_several() -> bool:
    """Whether the values of this process are in files, which another process exports."""
    return bool(os.environ.get(FOLDER_VARIABLE))


def render(registry: CollectorRegistry) -> bytes:
    """Return the text for Prometheus: of all workers where this is one of several, else of a registry."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return generate_latest(joined_registry(folder) if folder else registry)
