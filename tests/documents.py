"""The text of queries that are drawn at random."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from tests.oracle import Field


class Name(str):
    """The value of an enum, which has no quotes in a document."""

    __slots__ = ()


Cursors = Callable[[Field, UUID], str]
TYPES = {"filter": "{}Filter", "orderBy": "[{}Order!]", "first": "Int", "last": "Int"}
TYPES |= {"after": "Cursor", "before": "Cursor", "by": "{}Key!", "length": "Int!"}


class Document:
    """The text of a query; arguments are variables and literals in turn.

    With `split`, each list is there twice, with a half of its selection each, which the server has to merge.
    """

    def __init__(self, fields: tuple[Field, ...], cursor_of: Cursors, *, split: bool = False) -> None:
        self._cursor_of = cursor_of
        self._split = split
        self._texts: dict[int, str] = {}
        self.variables: dict[str, Any] = {}
        self._declared: list[str] = []
        self._count = 0
        body = self._selection(fields)
        self.text = f"query{'(' + ', '.join(self._declared) + ')' if self._declared else ''} {body}"

    def _selection(self, fields: tuple[Field, ...]) -> str:
        return "{ " + " ".join(map(self._field, fields)) + " }"

    def _field(self, own: Field) -> str:
        # The same field of two fragments has the same text, or they could not be merged.
        if id(own) not in self._texts:
            self._texts[id(own)] = self._text(own)
        return self._texts[id(own)]

    def _text(self, own: Field) -> str:
        if own.name == "...":
            return f"... @include(if: true) {self._selection(own.selection)}"
        arguments = ", ".join(f"{name}: {self._argument(own, name, value)}" for name, value in own.arguments.items())
        text = f"{own.alias}: {own.name}" if own.alias else own.name
        text += f"({arguments})" if arguments else ""
        text += " @skip(if: true)" if own.skipped else ""
        if not own.selection:
            return text
        if self._split and len(own.selection) > 1:
            return f"{text} {self._selection(own.selection[:1])} {text} {self._selection(own.selection[1:])}"
        return f"{text} {self._selection(own.selection)}"

    def _argument(self, own: Field, name: str, value: Any) -> str:
        if isinstance(value, UUID):
            value = self._cursor_of(own, value)
        self._count += 1
        if self._count % 2:
            return _literal(value)
        variable = f"v{self._count}"
        self.variables[variable] = value
        self._declared.append(f"${variable}: {TYPES[name].format(own.type)}")
        return f"${variable}"


def _literal(value: Any) -> str:  # noqa: PLR0911 - one for each kind of value
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Name():
            return str(value)
        case str():
            return '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\\n\r' else c for c in value) + '"'
        case list():
            return "[" + ", ".join(map(_literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name}: {_literal(part)}" for name, part in value.items()) + "}"
    return str(value)
