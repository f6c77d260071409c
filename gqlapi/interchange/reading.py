"""Files of static site generators, read as articles."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from gqlapi.database.types import to_milliseconds
from gqlapi.interchange.front_matter import Unreadable, split
from gqlapi.models import PostState
from gqlapi.words import slug_of

SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
MAX_FILE_BYTES = 5_000_000
MAX_SLUG_LENGTH = 200
NOT_POSTS = frozenset({"_index.md", "readme.md", "license.md", "changelog.md"})
DATED_NAME = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})-(?P<name>.+)")
DATED_FOLDERS = re.compile(r"(?:^|/)(?P<date>\d{4}/\d{2}/\d{2})(?:/|$)")
DATE_TEXT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})(?:[T ]+(?P<hour>\d{1,2})(?P<time>:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*"
    r"(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
HEADING = re.compile(r"^#[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Article:
    """A post as a file tells it; `date` is that of its publication, or would be, `note` what the person should know."""

    path: str
    title: str
    slug: str
    markdown: str
    date: datetime | None
    created_at: datetime | None
    author: str | None
    tags: tuple[str, ...]
    state: PostState
    note: str = ""


def find_files(folder: Path) -> list[Path]:
    """Return the Markdown files below a folder, sorted; hidden folders and links are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(folder).parts[:-1])
    )


def read_article(path: Path, folder: Path) -> Article:
    """Read one file.

    Raises:
        Unreadable: it is no post, or something about it cannot be read.
    """
    if path.name.lower() in NOT_POSTS:
        raise Unreadable("it is no post")
    front, markdown = split(read_text(path))
    name = str(path.relative_to(folder).as_posix())
    slug, title = _slug(front, path), _text(front, "title")
    heading = HEADING.search(markdown)
    when, note = _date(front, name, path)
    state = _state(front, name)
    if when is None and state is PostState.PUBLISHED:
        raise Unreadable("it has no date")
    return Article(
        path=name,
        title=title or (heading[1] if heading else slug.replace("-", " ").capitalize()),
        slug=slug,
        markdown=markdown,
        date=when,
        created_at=_to_datetime(front.get("created")),
        author=next(_names(front, "author", "authors"), None),
        tags=tuple(dict.fromkeys(_tags(front))),
        state=state,
        note=note,
    )


def read_text(path: Path) -> str:
    """Read a file as it is, its line ends included.

    Raises:
        Unreadable: it is too large, cannot be opened, or is no UTF-8 text.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unreadable(f"it is larger than {MAX_FILE_BYTES} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unreadable(f"it cannot be opened: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    if "\x00" in text:
        raise Unreadable("it holds U+0000")
    return text


def _text(front: Mapping[str, Any], name: str) -> str:
    value = front.get(name)
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _extra(front: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the front matter, and the tables in which Zola keeps what it does not know."""
    yield front
    for name in ("taxonomies", "extra"):
        if isinstance(front.get(name), dict):
            yield front[name]


def _slug(front: Mapping[str, Any], path: Path) -> str:
    given = _text(front, "slug")
    for name in ("permalink", "path", "url"):
        address = _text(front, name)
        if not given and address and ":" not in address.removeprefix("https:").removeprefix("http:"):
            given = address.rstrip("/").rpartition("/")[2].removesuffix(".html")
    stem = path.parent.name if path.stem == "index" else path.stem
    dated = DATED_NAME.fullmatch(stem)
    slug = slug_of(given or (dated["name"] if dated else stem), MAX_SLUG_LENGTH)
    if not slug:
        raise Unreadable("nothing of its name can stand in a URL")
    return slug


def _date(front: Mapping[str, Any], name: str, path: Path) -> tuple[datetime | None, str]:
    """Return the date, and what is to be said of it: the name of the file stands in for a date that is mistyped."""
    named = _date_of_name(name, path)
    for key in ("date", "publishdate"):
        try:
            found = _to_datetime(front.get(key))
        except Unreadable as unreadable:
            if named is None:
                raise
            return named, f"{unreadable}, so that of its name was taken"
        if found is not None:
            return found, ""
    return named, ""


def _date_of_name(name: str, path: Path) -> datetime | None:
    stem = path.parent.name if path.stem == "index" else path.stem
    dated, folders = DATED_NAME.fullmatch(stem), DATED_FOLDERS.search(name)
    if dated is not None:
        return _to_datetime(dated["date"])
    return _to_datetime(folders["date"].replace("/", "-")) if folders else None


def _to_datetime(value: object) -> datetime | None:
    """Read a date as YAML, TOML or a person wrote it; without an offset it is UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _parse_date(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        aware = datetime.combine(value, time(), UTC)
    else:
        raise Unreadable("its date cannot be read")
    try:
        return to_milliseconds(aware.astimezone(UTC))
    except OverflowError:
        raise Unreadable("its date cannot be read") from None


def _parse_date(text: str) -> datetime:
    found = DATE_TEXT.fullmatch(text.strip())
    if found is None:
        raise Unreadable("its date cannot be read")
    zone = (found["zone"] or "Z").upper().replace("UTC", "Z").replace("GMT", "Z")
    hour, rest = (found["hour"] or "0").zfill(2), found["time"] or ":00"
    try:
        return datetime.fromisoformat(f"{found['day']}T{hour}{rest}{zone}")
    except ValueError:
        raise Unreadable("its date cannot be read") from None


def _state(front: Mapping[str, Any], name: str) -> PostState:
    if front.get("archived") is True:
        return PostState.ARCHIVED
    is_draft = front.get("draft") is True or front.get("published") is False
    return PostState.DRAFT if is_draft or "_drafts" in name.split("/")[:-1] else PostState.PUBLISHED


def _names(front: Mapping[str, Any], *keys: str) -> Iterator[str]:
    for table in _extra(front):
        for key in keys:
            value = table.get(key)
            for item in value if isinstance(value, list) else [value]:
                named = item.get("name") if isinstance(item, dict) else item
                if isinstance(named, str | int) and not isinstance(named, bool) and str(named).strip():
                    yield str(named).strip()


def _tags(front: Mapping[str, Any]) -> Iterator[str]:
    """Yield tags, then categories. Jekyll takes a text for several words, unless the name of the field is singular."""
    for table in _extra(front):
        for key in ("tags", "tag", "categories", "category"):
            value = table.get(key)
            if isinstance(value, str) and key in {"tags", "categories"}:
                yield from (
                    part.strip() for part in (value.split(",") if "," in value else value.split()) if part.strip()
                )
            else:
                yield from _names({key: value}, key)
