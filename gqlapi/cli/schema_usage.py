"""Who uses which part of the schema, and what may go."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from graphql import GraphQLSchema

from gqlapi.models import FieldUsage
from gqlapi.operations.coordinates import coordinates_of_schema

UNNAMED = "(unnamed)"


def usage_lines(
    schema: GraphQLSchema, usage: Sequence[FieldUsage], now: datetime, *, days: int, only_deprecated: bool
) -> Iterator[str]:
    """Yield a line for each coordinate: its uses in the last days by client, or whether it may be removed."""
    since = now - timedelta(days=days)
    began = min((row.first_used_at for row in usage), default=now)
    by_coordinate: defaultdict[str, list[FieldUsage]] = defaultdict(list)
    for row in usage:
        if row.last_used_at >= since:
            by_coordinate[row.coordinate].append(row)
    for coordinate, reason in coordinates_of_schema(schema).items():
        if reason is None and only_deprecated:
            continue
        if rows := by_coordinate[coordinate]:
            yield f"{coordinate}  {_clients(rows)}"
        elif began > since:
            yield f"{coordinate}  not used since counting began on {began:%Y-%m-%d}"
        else:
            yield f"{coordinate}  not used for {days} days{'' if reason is None else ': may be removed'}"


def _clients(rows: Iterable[FieldUsage]) -> str:
    clients = sorted(rows, key=lambda row: (-row.uses, row.client))
    named = (f"{row.client or UNNAMED} ({row.uses:,}, last {row.last_used_at:%Y-%m-%d})" for row in clients)
    return "used by " + ", ".join(named)
