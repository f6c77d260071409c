"""Positions in PostgreSQL's write-ahead log: how far a primary has written, and a replica has replayed.

https://www.postgresql.org/docs/current/datatype-pg-lsn.html
"""

import re

LOW_BITS = 32
POSITION = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
# Nothing is known to have been written.
NOWHERE = 0
# What has been written after a commit was acknowledged, the commit included.
WRITTEN = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
REPLAYED = "pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"


def parse_position(text: str) -> int:
    """Return a position as bytes of the log.

    Raises:
        ValueError: the text is not a position.
    """
    found = POSITION.fullmatch(text)
    if found is None:
        raise ValueError("a position looks like 0/16B3748")
    return (int(found[1], 16) << LOW_BITS) | int(found[2], 16)


def format_position(position: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{position >> LOW_BITS:X}/{position & ((1 << LOW_BITS) - 1):X}"
