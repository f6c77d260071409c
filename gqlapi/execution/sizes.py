"""The length of the long texts of an answer, before it is encoded.

Objects that occur in several places are encoded several times; each of their texts is in memory once.
"""

from typing import Any

from gqlapi.execution.plan import Field, Scope, Step


def text_length(scope: Scope, made: list[dict[str, Any]]) -> int:
    """Return the bytes of all long texts of objects of the answer, as UTF-8."""
    length = 0
    for field in long_fields(scope):
        values = [one[field.name] for one in made]
        length += _length(values) if field.rules.is_long else _below(field.step, field, values)
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


def _below(step: Step, field: Field, values: list[Any]) -> int:
    values = [value for value in values if value is not None]
    if step.items is not None:
        return _below(step.items, field, [item for value in values for item in value])
    if step.object_type is not None:
        return text_length(field.subscopes.on(step.object_type), values)
    # The result does not contain the type of an object: its texts are counted as those of each type that fits.
    return sum(
        text_length(scope, [value for value in values if all(field.name in value for field in scope.fields)])
        for scope in field.subscopes.compiled
    )


def _length(texts: list[str | None]) -> int:
    try:
        if all(map(str.isascii, texts)):  # type: ignore[arg-type] # a null raises
            return sum(map(len, texts))  # type: ignore[arg-type] # as above
    except TypeError:
        pass
    return sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in texts if text)
