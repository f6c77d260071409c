"""Row locks of transactions, and the one order in which they are taken.

1. users, then their sessions
2. tags
3. posts
4. links of posts to tags
5. slugs

Rows of one table are locked in one statement, in the order of their ids. The locks that foreign keys take count as
well: a new post locks its author, and a new link locks its post and its tag, so tags are locked before the post that
gets them. Transactions that keep to this order do not deadlock.

Two exceptions: housekeeping skips locked rows; an import locks file by file, and its transaction is run again after a
deadlock.

SQLite has one writer at a time, and no row locks. https://www.postgresql.org/docs/current/explicit-locking.html
"""

from typing import Any, TypeVar

from gqlapi.database.dialect import AnySelect

S = TypeVar("S", bound=AnySelect)


def for_change(statement: S, *, of: Any = None) -> S:
    """Lock rows before a change; other transactions can still insert rows that refer to them.

    PostgreSQL strengthens the lock when a unique column changes.
    """
    return statement.with_for_update(key_share=True, of=of)


def for_removal(statement: S) -> S:
    """Lock rows before their deletion: waits for transactions that refer to them, and blocks new references."""
    return statement.with_for_update()


def for_reference(statement: S) -> S:
    """Lock rows before a new row refers to them: they can be changed, but not deleted."""
    return statement.with_for_update(read=True, key_share=True)


def skip_locked(statement: S) -> S:
    """Lock rows before their deletion, and skip those that another transaction has locked."""
    return statement.with_for_update(skip_locked=True)
