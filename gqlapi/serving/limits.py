"""How much a client may send, and for how long it may keep a connection."""

import sys
from dataclasses import dataclass

if sys.platform != "win32":
    import resource

MAX_URL_BYTES = 65_535  # GET requests carry whole documents; httptools parses no longer ones
MAX_HEADER_BYTES = 32_768  # names and values of a request; the framing of a chunked body gets the same
MAX_HEADERS = 100
MAX_PIPELINED = 32  # requests that may wait for the answers to earlier ones
UNMETERED_BYTES = 16_384  # of each request, not taken from the shared budget, so that small requests always fit
MAX_MESSAGE_BYTES = 131_072  # of a WebSocket
MAX_UNSENT_BYTES = 32 * 1024 * 1024  # answers of a process that clients have not taken yet
# A client may be this slow, on top of its timeout: 32 kbit/s.
MIN_BYTES_PER_SECOND = 4_096
# A refused client may still be sending; closing at once would destroy the answer before the client reads it (RFC 9112,
# section 9.6).
LINGER_SECONDS = 2.0
LINGER_BYTES = 16 * 1024 * 1024
# Files that are no connections of clients: the database's (three for each of SQLite's), the event loop's.
RESERVED_FILES = 64
FILES_PER_DATABASE_CONNECTION = 4
MIN_CONNECTIONS = 16


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of the connections of one process."""

    max_connections: int = 1_000
    receive_timeout_seconds: float = 10.0
    send_timeout_seconds: float = 20.0
    keep_alive_seconds: float = 75.0
    max_receiving_bytes: int = 32 * 1024 * 1024

    @property
    def sweep_seconds(self) -> float:
        """Return how often deadlines are looked at."""
        return min(1.0, self.receive_timeout_seconds / 4, self.send_timeout_seconds / 4, self.keep_alive_seconds / 4)


def fit_open_files(max_connections: int, database_connections: int) -> int:
    """Return how many connections the limit of open files leaves room for, at most `max_connections`."""
    if sys.platform == "win32":
        return max_connections
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return max_connections
    room = files - RESERVED_FILES - FILES_PER_DATABASE_CONNECTION * database_connections
    return max(MIN_CONNECTIONS, min(max_connections, room))
