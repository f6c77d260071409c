"""The corpus: hostile requests of each kind. An id is never given to another attack."""

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.corpus import (
    accounts,
    authored,
    bodies,
    costs,
    cursors,
    documents,
    filters,
    headers,
    ids,
    introspection,
    urls,
    variables,
)

ATTACKS: tuple[Attack, ...] = (
    *variables.ATTACKS,
    *documents.ATTACKS,
    *introspection.ATTACKS,
    *costs.ATTACKS,
    *filters.ATTACKS,
    *cursors.ATTACKS,
    *bodies.ATTACKS,
    *urls.ATTACKS,
    *authored.ATTACKS,
    *accounts.ATTACKS,
    *headers.ATTACKS,
    *ids.ATTACKS,
)
