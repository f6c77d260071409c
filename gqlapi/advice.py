"""What the plan of a statement suggests: tables read as a whole, rows sorted, indexes that are missing."""

import re
from collections.abc import Iterator, Sequence

# PostgreSQL's own unit; what costs less is a small table, of which an index would save nothing.
MIN_COST = 500.0
POSTGRESQL_NODE = re.compile(r"^[\s>-]*(?P<node>\S.*?)  \(cost=[\d.]+\.\.(?P<cost>[\d.]+) rows=\d+")
SEQ_SCAN = re.compile(r"(?:Parallel )?Seq Scan on (?:\w+\.)?\"?(?P<table>\w+)")
DETAIL = re.compile(r"^\s*(?P<name>Filter|Sort Key): (?P<text>.*)$")
# What is compared: a column, perhaps with its table and a cast.
COMPARED = re.compile(r"(?:\b\w+\.)?\b([a-z_]\w*)\)?(?:::\w+)? (?:=|<>|<=?|>=?|~~\*?|IS) ")
SQLITE_SCAN = re.compile(r"^\s*SCAN (?P<table>\w+)$")
SQLITE_AUTOMATIC = re.compile(r"SEARCH (?P<table>\w+) USING AUTOMATIC .*INDEX \((?P<columns>.*?)\)")
SQLITE_SORT = re.compile(r"USE TEMP B-TREE FOR (?P<clause>.*)$")


def advise(plan: Sequence[str]) -> list[str]:
    """Return what the lines of a plan suggest, of PostgreSQL's EXPLAIN or of SQLite's EXPLAIN QUERY PLAN."""
    is_postgresql = any(POSTGRESQL_NODE.match(line) for line in plan)
    return [*dict.fromkeys(_of_postgresql(plan) if is_postgresql else _of_sqlite(plan))]


def _of_postgresql(plan: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(plan):
        node = POSTGRESQL_NODE.match(line)
        if node is None or float(node["cost"]) < MIN_COST:
            continue
        details = _details(plan[number + 1 :])
        if scan := SEQ_SCAN.match(node["node"]):
            yield from _of_scan(scan["table"], details.get("Filter"))
        elif node["node"].startswith(("Sort", "Incremental Sort")):
            key = details.get("Sort Key", "an expression")
            yield f"Rows are sorted by {key}: an index in that order would save it."


def _details(lines: Sequence[str]) -> dict[str, str]:
    """Return what follows a node up to the next one."""
    found: dict[str, str] = {}
    for line in lines:
        if POSTGRESQL_NODE.match(line):
            break
        if detail := DETAIL.match(line):
            found[detail["name"]] = detail["text"]
    return found


def _of_scan(table: str, condition: str | None) -> Iterator[str]:
    columns = [*dict.fromkeys(COMPARED.findall(condition or ""))]
    if columns:
        yield f"{table} is read as a whole: an index on {table} ({', '.join(columns)}) may help."
    else:
        yield f"{table} is read as a whole."


def _of_sqlite(plan: Sequence[str]) -> Iterator[str]:
    for line in plan:
        if automatic := SQLITE_AUTOMATIC.search(line):
            columns = automatic["columns"].replace("=?", "").replace(" AND ", ", ")
            index = f"{automatic['table']} ({columns})"
            yield f"SQLite builds an index for this statement alone: one on {index} would save it."
        elif scan := SQLITE_SCAN.match(line):
            yield f"{scan['table']} is read as a whole, which is slow if it is large."
        elif sort := SQLITE_SORT.search(line):
            yield f"Rows are sorted for {sort['clause']}: an index in that order would save it."
