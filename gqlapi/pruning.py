"""Deleting what has expired; the servers do a little of it with each write."""

from datetime import timedelta

from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.repositories.feed import give_positions
from gqlapi.repositories.pruning import Prunable, prune_batch


async def prune(database: Database, *, keep_changes_for: timedelta, keep_events_for: timedelta) -> dict[Prunable, int]:
    """Delete all that has expired, a transaction for each 1,000 rows; return how many there were of each kind."""
    now = utc_now()
    # Changes that no server has read since they were made have none yet, and only those with one are deleted.
    while await database.transact(lambda session: give_positions(session, now, since=now - keep_changes_for)):
        pass
    ages = {"changes_before": now - keep_changes_for, "events_before": now - keep_events_for}
    pruned = dict.fromkeys(Prunable, 0)
    for kind in Prunable:
        while True:
            async with database.write() as session:
                count = await prune_batch(session, kind, now=now, **ages)
            pruned[kind] += count
            if count == 0:
                break
    return pruned
