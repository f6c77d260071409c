"""Deleting what has expired; the servers do a little of it with each write, and the rest from time to time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.repositories.feed import give_positions
from gqlapi.repositories.pruning import Ages, Prunable, prune_batch
from gqlapi.settings import Settings


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept; deleted posts for good if it is None."""

    changes: timedelta
    events: timedelta
    deleted_posts: timedelta | None = None

    def ages(self, now: datetime) -> Ages:
        """Return the times before which rows are no longer needed."""
        posts_before = None if self.deleted_posts is None else now - self.deleted_posts
        return Ages(now, changes_before=now - self.changes, events_before=now - self.events, posts_before=posts_before)


def retention_of(settings: Settings) -> Retention:
    """Return what the settings say."""
    return Retention(
        changes=timedelta(days=settings.change_retention_days),
        events=timedelta(days=settings.audit_retention_days),
        deleted_posts=timedelta(days=settings.deleted_post_days) if settings.deleted_post_days else None,
    )


async def prune(database: Database, retention: Retention) -> dict[Prunable, int]:
    """Delete all that has expired, a transaction for each batch; return how many rows there were of each kind."""
    now = utc_now()
    ages = retention.ages(now)
    # Changes that no server has read since they were made have none yet, and only those with one are deleted.
    while await database.transact(lambda session: give_positions(session, now, since=ages.changes_before)):
        pass
    pruned = dict.fromkeys(Prunable, 0)
    for kind in Prunable:
        while True:
            async with database.write() as session:
                count = await prune_batch(session, kind, ages)
            pruned[kind] += count
            if count == 0:
                break
    return pruned
