"""Functions that make records of rows, generated for each choice of columns: a quarter of the time of a loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gqlapi.database.kept import Processor, Rows

Make = Callable[[Rows], Any]


@dataclass(frozen=True, slots=True)
class RecordShape:
    """What the columns of rows are: those of a record, after its parent's id and before a joined record's.

    A record that several parents have is one object if it is `shared`. `joined` is the attribute, the class and the
    columns of a record that rides along, one object for each id; `listed` are those of a list of records, whose columns
    are arrays.
    """

    record: type[Any]
    names: tuple[str, ...]
    has_parent: bool = False
    shared: bool = False
    joined: tuple[str, type[Any], tuple[str, ...]] | None = None
    listed: tuple[str, type[Any], tuple[str, ...]] | None = None


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
    lines = ["def make(rows):", " found, joined_records, records, parents = {}, {}, [], {}"]
    lines += [f" for {', '.join(values)}, in rows:"]
    id_ = values[own][shape.names.index("id")]
    if shape.shared:
        lines += [f"  one = found.get({id_})", "  if one is None:"]
        lines += [f"   {line}" for line in _creation("one", "record", shape.names, made[own])]
        lines += [f"   found[{id_}] = one"]
    else:
        lines += [f"  {line}" for line in _creation("one", "record", shape.names, made[own])]
    if shape.joined is not None:
        attribute, _, names = shape.joined
        joined_id = values[joined][names.index("id")]
        lines += [f"  other = joined_records.get({joined_id})", "  if other is None:"]
        lines += [f"   {line}" for line in _creation("other", "joined_record", names, made[joined])]
        lines += [f"   joined_records[{joined_id}] = other", f"  one.{attribute} = other"]
    if shape.listed is not None:
        lines += [f"  {line}" for line in _list_creation(shape.listed[0], listed_names, values[joined.stop :])]
    if not shape.has_parent:
        return [*lines, "  records.append(one)", " return records"]
    lines += ["  records = parents.get(value_0)", "  if records is None:", "   parents[value_0] = [one]"]
    return [*lines, "  else:", "   records.append(one)", " return parents"]


def _list_creation(attribute: str, names: Sequence[str], arrays: Sequence[str]) -> list[str]:
    """Make the records of a list of the arrays of their columns, which are None for an empty list."""
    items = [f"item_{place}" for place in range(len(names))]
    creation = _creation("item", "listed_record", names, items)
    lines = [f"one.{attribute} = items = []", f"if {arrays[0]} is not None:"]
    lines += [f" for {', '.join(items)}, in zip({', '.join(arrays)}):"]
    return [*lines, *(f"  {line}" for line in creation), "  items.append(item)"]


def _creation(variable: str, record: str, names: Sequence[str], values: Sequence[str]) -> list[str]:
    assignments = [f"{variable}.{name} = {value}" for name, value in zip(names, values, strict=True)]
    return [f"{variable} = new({record})", *assignments]
