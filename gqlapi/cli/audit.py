"""`gqlapi audit`."""

import json
from datetime import datetime, timedelta
from typing import Annotated

import typer

from gqlapi.cli.base import cli, load_settings, run
from gqlapi.database.types import utc_now
from gqlapi.database.unit import create_database
from gqlapi.models import AuditEvent, AuditKind
from gqlapi.repositories.audit import list_events
from gqlapi.settings import Settings
from gqlapi.words import fold

Row = tuple[AuditEvent, str | None, str | None]


@cli.command("audit")
def audit_command(
    *,
    user: Annotated[str | None, typer.Option(help="Only events by or about this user.")] = None,
    kind: Annotated[list[AuditKind] | None, typer.Option(help="Only this kind; can be given several times.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Only events of the last days.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest, at most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each event.")] = False,
) -> None:
    """Print who did what to which account, and from where: the newest events, oldest of them first."""
    since = None if days is None else utc_now() - timedelta(days=days)
    rows = run(_read(load_settings(), user, kind or [], since, limit))
    for row in rows:
        typer.echo(_to_json(*row) if as_json else _to_line(*row))


async def _read(
    settings: Settings, username: str | None, kinds: list[AuditKind], since: datetime | None, limit: int
) -> list[Row]:
    database = create_database(settings)
    username_key = None if username is None else fold(username)
    try:
        async with database.write() as session:
            return await list_events(session, username_key=username_key, kinds=kinds, since=since, limit=limit)
    finally:
        await database.dispose()


def _to_line(event: AuditEvent, actor: str | None, subject: str | None) -> str:
    details = "".join(f" {name}={_plain(value)}" for name, value in event.detail.items())
    by = "" if event.actor_id in {None, event.subject_id} else f" by {actor or event.actor_id}"
    source = "the command line" if event.address is None else event.address or "a local socket"
    at = event.created_at.isoformat(timespec="seconds")
    return f"{at}  {event.kind:<16}  {subject or event.subject_id or 'unknown user'}{by} from {source}{details}"


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _to_json(event: AuditEvent, actor: str | None, subject: str | None) -> str:
    return json.dumps(
        {
            "at": event.created_at.isoformat(),
            "kind": event.kind,
            "actor": actor,
            "actorId": event.actor_id and str(event.actor_id),
            "subject": subject,
            "subjectId": event.subject_id and str(event.subject_id),
            "address": event.address,
            "detail": event.detail,
        },
        ensure_ascii=False,
    )
