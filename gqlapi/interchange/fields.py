"""Values of front matter, wherever the generators keep them."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from gqlapi.interchange.front_matter import lower_names
from gqlapi.words import fold

# Tables in which Zola and Hugo keep what they do not know themselves.
TABLES = ("taxonomies", "extra", "params")
# YAML 1.1 knows them all, and people write them.
TRUE, FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
# What Jekyll takes for the name of a pattern.
PERMALINK_STYLES = frozenset({"date", "pretty", "ordinal", "weekdate", "none"})
INDEX_PAGES = frozenset({"index.html", "index.htm", "index.php"})
PAGE_SUFFIXES = (".html", ".htm", ".md")
MAX_FOLDED_LENGTH = 1_000


def text_of(front: Mapping[str, Any], name: str) -> str:
    """Return a text without the space around it, or an empty one where there is none."""
    return _text(front.get(name))


def is_true(front: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Read a flag; what is neither true nor false is the default."""
    word = _text(front.get(name)).lower()
    return word in TRUE if word in TRUE | FALSE else default


def authors_of(front: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the authors, each once."""
    return _distinct(name for table in _tables(front) for key in ("author", "authors") for name in _names(table, key))


def tags_of(front: Mapping[str, Any]) -> tuple[str, ...]:
    """Return tags, then categories, each once without regard to case."""
    return _distinct(
        tag
        for keys in (("tags", "tag"), ("categories", "category"))
        for table in _tables(front)
        for key in keys
        for tag in _tags(table, key)
    )


def slug_of_address(address: str) -> str:
    """Return the last part of a URL or path that is not a pattern such as `/:year/:title/`."""
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    parts = [part for part in unquote(path).split("/") if part and part not in INDEX_PAGES]
    if not parts or address in PERMALINK_STYLES or any(part.startswith(":") for part in parts):
        return ""
    for suffix in PAGE_SUFFIXES:
        parts[-1] = parts[-1].removesuffix(suffix)
    return parts[-1]


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value).strip()
    return ""


def _tables(front: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield front
    for name in TABLES:
        table = front.get(name)
        if isinstance(table, dict):
            yield lower_names(table)


def _names(table: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield one name or several, of which each may be a table with its `name`."""
    value = table.get(key)
    for item in value if isinstance(value, list) else [value]:
        name = _text(item.get("name") if isinstance(item, dict) else item)
        if name:
            yield name


def _tags(table: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield tags. Jekyll takes a text for several words, unless the name of the field is singular."""
    value = table.get(key)
    if isinstance(value, str) and key in {"tags", "categories"}:
        parts = value.split(",") if "," in value else value.split()
        yield from filter(None, map(str.strip, parts))
    else:
        yield from _names(table, key)


def _distinct(texts: Iterator[str]) -> tuple[str, ...]:
    by_key: dict[str, str] = {}
    for text in texts:
        # What is longer is refused later, and need not be folded.
        by_key.setdefault(fold(text) if len(text) <= MAX_FOLDED_LENGTH else text, text)
    return tuple(by_key.values())
