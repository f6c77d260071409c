"""The length of the long texts of an answer, before it is encoded.

Objects that stand in several places are encoded several times; each of their texts is in memory once.
"""

from typing import Any

from gqlapi.execution.plan import Field, Scope, Step


def text_length(scope: Scope, made: dict[str, Any]) -> int:
    """Return the bytes of all long texts of an object of the answer, as UTF-8."""
    length = 0
    for field in long_fields(scope):
        value = made[field.name]
        length += _length(value) if field.rules.is_long else _below(field.step, field, value)
    return length


def long_fields(scope: Scope) -> list[Field]:
    """Return the fields of a scope that are long texts, or that may have some below them."""
    if scope.long_fields is None:
        scope.long_fields = [field for field in scope.fields if field.rules.is_long or _may_have_some(field)]
    return scope.long_fields


def _may_have_some(field: Field) -> bool:
    step = field.step
    while step.items is not None:
        step = step.items
    if step.object_type is not None:
        return bool(long_fields(field.subscopes.on(step.object_type)))
    return step.abstract_type is not None


def _below(step: Step, field: Field, value: Any) -> int:
    if value is None:
        return 0
    if step.items is not None:
        return sum(_below(step.items, field, item) for item in value)
    if step.object_type is not None:
        return text_length(field.subscopes.on(step.object_type), value)
    # The longest of what it may be: of which type it is, nobody noted.
    return max(text_length(scope, value) for scope in field.subscopes.compiled if _fits(scope, value))


def _fits(scope: Scope, made: dict[str, Any]) -> bool:
    return all(field.name in made for field in scope.fields)


def _length(text: str | None) -> int:
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
