"""Mutations that may be sent twice and happen once.

A client that lost an answer sends the same mutation with the same key again, and gets the same answer. The key is
written in the transaction of the mutation: of several at once, the others wait for the first one's end.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from gqlapi import problems
from gqlapi.checks import invalid, too_long
from gqlapi.models import ApiScope, GlobalId, IdempotencyKey, Row
from gqlapi.problems import (
    ConflictProblem,
    NotFoundProblem,
    Path,
    Problem,
    ProblemCode,
    Rejected,
)
from gqlapi.repositories import WriteScope
from gqlapi.repositories.idempotency import IdempotencyRepository
from gqlapi.repositories.pruning import IDEMPOTENCY_KEPT_FOR

MAX_KEY_LENGTH = 255
KEY_PATH = ("idempotencyKey",)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mutation did: the keys of its rows, from which the answer is read, also that of a replay.

    `results` are the rows of a bulk mutation, in the order of its input: a key, or why there is none. `written` are
    the records of what was written just now, by their keys; a replay has none.
    """

    id: UUID | None = None
    created: bool = False
    results: tuple[UUID | tuple[Problem, ...], ...] = ()
    written: Mapping[UUID, Any] = field(default_factory=dict, compare=False)


Body = Callable[[WriteScope], Awaitable[Outcome]]


def check_key(key: str | None) -> Iterator[Problem]:
    """Check a key that a client chose."""
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        message = f"An idempotency key has 1 to {MAX_KEY_LENGTH} characters."
        yield too_long(KEY_PATH, MAX_KEY_LENGTH, message) if key else invalid(KEY_PATH, message)


async def run_once(
    scope: WriteScope, key: str, fingerprint: str, body: Body, model: type[Row] | None = None
) -> Outcome:
    """Run `body`, or return what it did when the viewer sent this key with this input before.

    Only what succeeds is kept, for 24 hours: a rejected mutation can be corrected and sent under the same key.
    `model`: a replay shows rows of this kind, and says which of them are gone.

    Raises:
        Rejected: the key was used for another input, the row of a replay was deleted, or `body` rejects.
    """
    viewer_id = scope.viewer.id
    if viewer_id is None:  # a mutation without an account has no keys
        return await body(scope)
    repository = IdempotencyRepository(scope.session)
    claimed = IdempotencyKey(user_id=viewer_id, key=key, input_hash=fingerprint, outcome={}, created_at=scope.now)
    if await repository.claim(claimed, expired_before=scope.now - IDEMPOTENCY_KEPT_FOR):
        outcome = await body(scope)
        await repository.keep(claimed, _to_json(outcome))
        return outcome
    earlier = await repository.get(viewer_id, key)
    if earlier.input_hash != fingerprint:
        message = "The idempotency key was used for another input."
        raise Rejected(ConflictProblem(code=ProblemCode.IDEMPOTENCY_MISMATCH, message=message, path=KEY_PATH))
    outcome = _from_json(earlier.outcome)
    return outcome if model is None else await _without_deleted(repository, outcome, model)


async def _without_deleted(repository: IdempotencyRepository, outcome: Outcome, model: type[Row]) -> Outcome:
    """Return an outcome with a problem in the place of each deleted row.

    Raises:
        Rejected: its only row was deleted.
    """
    ids = [id_ for id_ in (outcome.id, *outcome.results) if isinstance(id_, UUID)]
    live = await repository.list_live(model, ids)
    if outcome.id is not None and outcome.id not in live:
        raise Rejected(_deleted(model, outcome.id, KEY_PATH))
    results = (
        (_deleted(model, result, ("posts", str(index))),) if isinstance(result, UUID) and result not in live else result
        for index, result in enumerate(outcome.results)
    )
    return replace(outcome, results=tuple(results))


def _deleted(model: type[Row], id_: UUID, path: Path) -> Problem:
    typename = model.typename
    message = f"This key was used before, and the {typename.lower()} of that time has been deleted since."
    return NotFoundProblem(message=message, path=path, id=GlobalId(typename, id_).encode())


def fingerprint_of(name: str, value: Any) -> str:
    """Return the hash of a mutation's name and its input, which is made of plain values."""
    text = json.dumps([name, value], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _to_json(outcome: Outcome) -> dict[str, Any]:
    results = [
        str(result) if isinstance(result, UUID) else [_problem_to_json(problem) for problem in result]
        for result in outcome.results
    ]
    return {"id": outcome.id and str(outcome.id), "created": outcome.created, "results": results}


def _from_json(stored: dict[str, Any]) -> Outcome:
    results = (
        UUID(result) if isinstance(result, str) else tuple(map(_problem_from_json, result))
        for result in stored["results"]
    )
    return Outcome(stored["id"] and UUID(stored["id"]), stored["created"], tuple(results))


def _problem_to_json(problem: Problem) -> dict[str, Any]:
    return {"type": type(problem).__name__, **asdict(problem)}


def _problem_from_json(stored: dict[str, Any]) -> Problem:
    problem_type: type[Problem] = getattr(problems, stored["type"])
    values: dict[str, Any] = {attribute.name: stored.get(attribute.name) for attribute in fields(problem_type)}
    values["code"] = ProblemCode(values["code"])
    values["path"] = values["path"] and tuple(values["path"])
    if values.get("required_scope"):
        values["required_scope"] = ApiScope(values["required_scope"])
    return problem_type(**values)
