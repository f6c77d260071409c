"""Functions that make records of rows, generated for each choice of columns: a quarter of the time of a loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gqlapi.database.kept import Processor, Rows

Make = Callable[[Rows], Any]
# An attribute, the class of its records, and their columns.
Listed = tuple[str, type[Any], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RecordShape:
    """What the columns of rows are: those of a record, after its parent's id and before a joined record's.

    The rows of a parent follow each other. `joined` is the attribute, the class and the columns of a record that rides
    along, one object for each id; `listed` are those of a list of records, whose columns are arrays, or, if it is
    `spread`, one item for each row: the rows of a record follow each other. Items are not shared: to find one by its id
    takes longer than to make it.
    """

    record: type[Any]
    names: tuple[str, ...]
    has_parent: bool = False
    joined: Listed | None = None
    listed: Listed | None = None
    spread: bool = False


@lru_cache(maxsize=512)
def constructor(shape: RecordShape, processors: tuple[Processor | None, ...] = ()) -> Make:
    """Return a function that makes a list of records of rows, or with parents a dict of lists by the parent's id.

    `processors` are those of the columns.
    """
    source = "\n".join(_source(shape, processors))
    scope: dict[str, Any] = {"new": object.__new__, "record": shape.record}
    scope |= {f"process_{place}": process for place, process in enumerate(processors)}
    if shape.joined is not None:
        scope["joined_record"] = shape.joined[1]
    if shape.listed is not None:
        scope["listed_record"] = shape.listed[1]
    exec(source, scope)  # noqa: S102 - made of the names of our own columns
    make: Make = scope["make"]
    return make


def _source(shape: RecordShape, processors: Sequence[Processor | None]) -> list[str]:
    joined_names = () if shape.joined is None else shape.joined[2]
    listed_names = () if shape.listed is None else shape.listed[2]
    width = shape.has_parent + len(shape.names) + len(joined_names) + len(listed_names)
    values = [f"value_{place}" for place in range(width)]
    made = [
        f"process_{place}({value})" if processors and processors[place] else value for place, value in enumerate(values)
    ]
    own = slice(int(shape.has_parent), shape.has_parent + len(shape.names))
    joined = slice(own.stop, own.stop + len(joined_names))
    lines = ["def make(rows):", " joined, records, parents, parent, last = {}, [], {}, None, None"]
    lines += [f" for {', '.join(values)}, in rows:"]
    if shape.has_parent:
        lines += ["  if value_0 != parent:", "   parent, last = value_0, None", "   parents[parent] = records = []"]
    id_ = values[own][shape.names.index("id")]
    creation = _creation("one", "record", shape.names, made[own])
    if shape.joined is not None:
        attribute, _, names = shape.joined
        other = _creation("other", "joined_record", names, made[joined])
        creation += _shared("other", values[joined][names.index("id")], other)
        creation.append(f"one.{attribute} = other")
    if shape.listed is not None and not shape.spread:
        creation += _list_creation(shape.listed[0], listed_names, values[joined.stop :])
    creation.append("records.append(one)")
    if shape.listed is not None and shape.spread:
        creation = _spread(shape.listed, id_, creation, values[joined.stop :], made[joined.stop :])
    return [*lines, *(f"  {line}" for line in creation), f" return {'parents' if shape.has_parent else 'records'}"]


def _spread(
    listed: tuple[str, type[Any], tuple[str, ...]],
    id_: str,
    creation: Sequence[str],
    values: list[str],
    made: list[str],
) -> list[str]:
    """Create a record at the first of its rows, and an item of its list at each; NULL marks a row without an item."""
    attribute, _, names = listed
    item_id = values[names.index("id")]
    item = _creation("item", "listed_record", names, made)
    lines = [f"if {id_} != last:", f" last = {id_}", *(f" {line}" for line in creation)]
    lines.append(f" one.{attribute} = items = []")
    return [*lines, f"if {item_id} is not None:", *(f" {line}" for line in item), " items.append(item)"]


def _list_creation(attribute: str, names: Sequence[str], arrays: Sequence[str]) -> list[str]:
    """Create the records of a list of the arrays of their columns, which are None for an empty list."""
    items = [f"item_{place}" for place in range(len(names))]
    creation = _creation("item", "listed_record", names, items)
    lines = [f"one.{attribute} = items = []", f"if {arrays[0]} is not None:"]
    lines += [f" for {', '.join(items)}, in zip({', '.join(arrays)}):"]
    return [*lines, *(f"  {line}" for line in creation), "  items.append(item)"]


def _shared(variable: str, id_: str, creation: Sequence[str]) -> list[str]:
    """Create one object for each id."""
    made = [f" {line}" for line in creation]
    return [f"{variable} = joined.get({id_})", f"if {variable} is None:", *made, f" joined[{id_}] = {variable}"]


def _creation(variable: str, record: str, names: Sequence[str], values: Sequence[str]) -> list[str]:
    assignments = [f"{variable}.{name} = {value}" for name, value in zip(names, values, strict=True)]
    return [f"{variable} = new({record})", *assignments]
