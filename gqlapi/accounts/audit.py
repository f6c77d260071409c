"""The audit trail in the log."""

from collections.abc import Iterable

import structlog

from gqlapi.models import AuditEvent

logger = structlog.get_logger()


def log_events(events: Iterable[AuditEvent]) -> None:
    """Log a line for each event of a transaction that was committed, under the id of the request."""
    for event in events:
        logger.info(
            "audit",
            kind=event.kind.value,
            actor=event.actor_id and str(event.actor_id),
            subject=event.subject_id and str(event.subject_id),
            address=event.address,
            **event.detail,
        )
