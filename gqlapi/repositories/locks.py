"""Row locks of transactions, and the one order in which they are taken.

1. users, then their sessions
2. tags
3. posts
4. links of posts to tags

Rows of one table are locked in one statement, in the order of their ids, or one by one where there is one. What a
foreign key locks counts as well: a new post locks its author, and each new link its post and its tag, so that tags
that are named are locked before the post is. Whoever keeps to this order never waits in a circle.

Two exceptions: housekeeping skips what is locked, and waits for nobody; an import locks file by file, and is run
again when PostgreSQL chose it to end a circle.

SQLite has one writer at a time, and no row locks. https://www.postgresql.org/docs/current/explicit-locking.html
"""

from typing import Any, TypeVar

from gqlapi.database.dialect import AnySelect

S = TypeVar("S", bound=AnySelect)


def for_change(statement: S, *, of: Any = None) -> S:
    """Lock rows that are going to be changed; other transactions can still refer to them.

    A unique column that changes makes the lock stronger by itself, when it is written.
    """
    return statement.with_for_update(key_share=True, of=of)


def for_removal(statement: S) -> S:
    """Lock rows that are going to be deleted, or to lose their name: waits for new references, and keeps others out."""
    return statement.with_for_update()


def for_reference(statement: S) -> S:
    """Keep rows that a new row is going to refer to from being deleted; they can still be changed."""
    return statement.with_for_update(read=True, key_share=True)


def of_nobody(statement: S) -> S:
    """Lock rows that are going to be deleted, and pass over those that somebody has locked."""
    return statement.with_for_update(skip_locked=True)
