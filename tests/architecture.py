"""The rules of the tree, read from the source of the modules; `test_architecture.py` applies them."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

# From top to bottom: a part imports from the lines below its own, never from its own line.
LINES = (
    {"__main__"},
    {"cli"},
    {"explain"},
    {"app", "interchange", "reindexing", "rendering", "seeding", "text_report"},
    {"doctor", "http", "pruning", "schema"},
    {"context"},
    {"atomic", "documents", "idempotency", "publishing"},
    {"loaders", "accounts", "feed"},
    {"repositories"},
    {"models"},
    {"database"},
)
# Independent parts: what they import is listed, and who imports them is not restricted.
APART: dict[str, set[str]] = {
    "": set(),
    "advice": set(),
    "background": {"database"},
    "cache": set(),
    "checks": {"lines", "names", "problems", "words"},
    "content": {"words"},
    "errors": set(),
    "execution": {"cache"},
    "lines": set(),
    "logs": {"settings"},
    "names": {"lines", "words"},
    "operations": {"cache", "errors", "execution", "shared"},
    "problems": set(),
    "progress": set(),
    "serving": {"errors"},
    "settings": set(),
    "telemetry": set(),
    "shared": set(),
    "words": set(),
    "work_pool": {"errors"},
}
# Parts of a line that may import less than the line allows.
NARROWED = {
    "doctor": {"accounts", "repositories", "models", "database", "errors", "settings"},
    "interchange": {"publishing", "accounts", "content", "repositories", "models", "database", "words"}
    | {"checks", "errors", "lines", "names", "problems", "progress", "work_pool"},
    "pruning": {"repositories", "database", "settings"},
    "reindexing": {"repositories", "database", "progress"},
    "rendering": {"content", "repositories", "models", "database", "work_pool"},
    "seeding": {"content", "repositories", "models", "database", "names", "words"},
    "text_report": {"publishing", "accounts", "repositories", "models", "database"}
    | {"checks", "names", "problems", "words"},
}

# What makes a statement, and what only makes an expression: models need expressions for constraints and indexes.
# fmt: off
STATEMENTS = frozenset({
    "Delete", "Insert", "Select", "Update", "aliased", "defer", "delete", "except_", "except_all", "exec_driver_sql",
    "exists", "insert", "intersect", "intersect_all", "joinedload", "lateral", "load_only", "raiseload", "select",
    "selectinload", "subqueryload", "undefer", "union", "union_all", "update", "values", "with_expression",
    "with_loader_criteria",
})
EXPRESSIONS = frozenset({
    "TextClause", "all_", "and_", "any_", "asc", "between", "bindparam", "case", "cast", "collate", "column", "desc",
    "distinct", "extract", "false", "func", "literal", "literal_column", "not_", "null", "nulls_first", "nulls_last",
    "or_", "over", "table", "text", "true", "try_cast", "tuple_", "type_coerce", "within_group",
})
# fmt: on


@cache
def parse(source: str) -> ast.Module:
    """Parse a source once for all rules."""
    return ast.parse(source)


class Module(NamedTuple):
    """A module of the package, by its dotted name below `gqlapi`; the package itself is ""."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        return parse(self.source)

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]


Rule = Callable[[Module], Iterator[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Module]:
    package = ROOT / "gqlapi"
    paths = {path.relative_to(package).with_suffix(""): path for path in package.rglob("*.py")}
    names = {".".join(part for part in name.parts if part != "__init__"): path for name, path in paths.items()}
    return [Module(name, path.read_text()) for name, path in sorted(names.items())]


def allowed_imports(part: str) -> set[str]:
    """Return the parts that `part` may import in addition to itself.

    Raises:
        KeyError: the part is not in the table.
    """
    listed = APART | NARROWED
    if part in listed:
        return listed[part]
    height = {name: line for line, names in enumerate(LINES) for name in names}[part]
    return set().union(*LINES[height + 1 :], APART) - {""}


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted name of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_parts(tree: ast.Module) -> Iterator[str]:
    """Yield the first name below `gqlapi` of each import; the version, which everyone may read, is left out."""
    for name in imported_names(tree):
        package, _, rest = name.partition(".")
        if package == "gqlapi" and rest != "__version__":
            yield rest.partition(".")[0]


def imports_upward(module: Module) -> Iterator[str]:
    try:
        allowed = allowed_imports(module.part) | {module.part}
    except KeyError:
        yield f"{module.name} is not in the table of layers"
        return
    for part in imported_parts(module.tree):
        if part not in allowed:
            yield f"{module.name} imports {part or 'gqlapi itself'}"


def sqlalchemy_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what is bound by imports from SQLAlchemy: the name here, and the name there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "sqlalchemy":
                    yield alias.asname or "sqlalchemy", ""
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy":
            for alias in node.names:
                yield alias.asname or alias.name, alias.name


def root_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def uses_sql(module: Module) -> Iterator[str]:
    if module.part in {"repositories", "database"}:
        return
    forbidden = STATEMENTS if module.part == "models" else STATEMENTS | EXPRESSIONS
    bound = dict(sqlalchemy_names(module.tree))
    for origin in bound.values():
        if origin in forbidden:
            yield f"{module.name} imports {origin}"
    for node in ast.walk(module.tree):
        is_ours = isinstance(node, ast.Attribute) and root_name(node) in bound
        if isinstance(node, ast.Attribute) and (is_ours or node.attr == "exec_driver_sql") and node.attr in forbidden:
            yield f"{module.name}:{node.lineno} uses {node.attr}"


def relationships(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "relationship":
            yield node


def loads_lazily(module: Module) -> Iterator[str]:
    for call in relationships(module.tree):
        lazy = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "lazy"]
        if lazy != ["'raise_on_sql'"]:
            yield f"{module.name}:{call.lineno} has a relationship that is not lazy='raise_on_sql'"


def imports_late(module: Module) -> Iterator[str]:
    # What takes long to import is for the command, or for the setting, that needs it.
    if module.name.startswith("cli.") or module.name == "telemetry.extra":
        return
    for scope in ast.walk(module.tree):
        if not isinstance(scope, Function | ast.ClassDef):
            continue
        for node in ast.walk(scope):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"{module.name}:{node.lineno} imports inside {scope.name}"
    for node in ast.walk(module.tree):
        called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if called in {"__import__", "import_module"}:
            yield f"{module.name} calls {called}"


def imports_relatively(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{module.name}:{node.lineno} has a relative import"


def is_too_long(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{module.name} has {lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{module.name}:{node.lineno} {node.name} has {lines} lines"


def is_described(node: Function) -> bool:
    """Return whether a decorator carries a description: a GraphQL field says in the SDL what it does."""
    calls = [decorator for decorator in node.decorator_list if isinstance(decorator, ast.Call)]
    return any(keyword.arg == "description" for call in calls for keyword in call.keywords)


def lacks_docstrings(module: Module) -> Iterator[str]:
    """Ask for one on all that is public; a method of a class with bases may be an override, which needs none."""
    if not ast.get_docstring(module.tree):
        yield f"{module.name or 'gqlapi'} has no docstring"
    scopes: list[ast.Module | ast.ClassDef] = [module.tree]
    while scopes:
        scope = scopes.pop()
        may_override = isinstance(scope, ast.ClassDef) and bool(scope.bases)
        for node in scope.body:
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                scopes.append(node)
            elif may_override or is_described(node):
                continue
            if not ast.get_docstring(node):
                yield f"{module.name}:{node.lineno} {node.name} has no docstring"


def ignores_types_silently(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        is_ignore = token.type == tokenize.COMMENT and re.search(r"#\s*type:\s*ignore", token.string)
        if is_ignore and not re.search(r"#\s*type: ignore\[[\w, -]+\]\s*(#|-|:)\s*\w+", token.string):
            yield f"{module.name}:{token.start[0]} ignores a type without its code and reason"


RULES: list[Rule] = [
    imports_upward,
    uses_sql,
    loads_lazily,
    imports_late,
    imports_relatively,
    is_too_long,
    lacks_docstrings,
    ignores_types_silently,
]
