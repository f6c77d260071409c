"""Files of static site generators, read as articles."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gqlapi.accounts.registration import check_display_name
from gqlapi.content import MAX_MARKDOWN_LENGTH, Unrenderable, headings_of, render
from gqlapi.interchange.dates import read_date
from gqlapi.interchange.fields import authors_of, is_true, slug_of_address, tags_of, text_of
from gqlapi.interchange.front_matter import split
from gqlapi.interchange.unreadable import NotAPost, Unreadable
from gqlapi.lines import normalize_line, printable
from gqlapi.models import PostState
from gqlapi.names import normalize_nickname
from gqlapi.problems import Path as ProblemPath
from gqlapi.problems import Problem
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH, MAX_TAGS_PER_POST, check_tag_name, check_title
from gqlapi.words import slug_of

SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
# More than the longest post and front matter in any script.
MAX_FILE_BYTES = 1_000_000
# What makes a slug lies at the beginning of a text.
MAX_SLUG_SOURCE_LENGTH = 1_000
# The pages of lists, and what is for the folder's developers.
NOT_POSTS = frozenset({"_index", "readme"})
DRAFTS = "_drafts"
DATED_NAME = re.compile(r"(?P<date>\d{4}-\d{1,2}-\d{1,2})[-_](?P<name>.+)", re.ASCII)
DATED_FOLDERS = re.compile(r"(?:^|/)(?P<date>\d{4}/\d{2}/\d{2})(?:/|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Article:
    """A post as a file describes it, within the limits of the database; `notes` are what the person should know."""

    path: str
    title: str
    slug: str
    markdown: str
    state: PostState
    published_at: datetime | None
    # From the file; by default the time of the import.
    created_at: datetime | None
    author: str | None
    tags: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_files(folder: Path) -> list[Path]:
    """Return the Markdown files below a folder, sorted; links are not followed, hidden folders left out."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        paths = (Path(root, name) for name in names)
        found += (path for path in paths if path.suffix.lower() in SUFFIXES and (path.is_symlink() or path.is_file()))
    return sorted(found)


def name_of(path: Path, folder: Path) -> str:
    """Return the name of a file below a folder, on one line that any terminal can show."""
    return printable(path.relative_to(folder).as_posix())


def read_article(path: Path, folder: Path) -> Article:
    """Read one file.

    Raises:
        Unreadable: it is no post, or one of its values is invalid.
    """
    if path.name.partition(".")[0].lower() in NOT_POSTS:
        raise NotAPost("it is no post")
    if path.is_symlink():
        raise NotAPost("it is a link")
    return _Reading(path, folder, *split(read_text(path))).article()


def read_text(path: Path, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Read a file as it is, its line ends included.

    Raises:
        Unreadable: it is too large, cannot be opened, or is no UTF-8 text.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise Unreadable(f"it is larger than {max_bytes} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unreadable(f"it cannot be opened: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    if "\x00" in text:
        raise Unreadable("it holds U+0000")
    return text


def can_be_stored(text: str) -> bool:
    """Return whether a database takes a text: U+0000 and halves of surrogate pairs can be written as escapes."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def can_be_author(name: str) -> bool:
    """Return whether a name is one that an author can have."""
    return not any(check_display_name(name, ()))


class _Reading:
    """One file, taken apart."""

    def __init__(self, path: Path, folder: Path, front: Mapping[str, Any], markdown: str) -> None:
        self._front = front
        self._markdown = markdown
        self._name = name_of(path, folder)
        self._folders = path.relative_to(folder).parts[:-1]
        # A page bundle is named by its folder.
        self._stem = path.parent.name if path.stem == "index" and self._folders else path.stem
        self._notes: list[str] = []

    def article(self) -> Article:
        state = self._state()
        published_at, created_at = self._dates(state)
        authors = authors_of(self._front)
        if len(authors) > 1:
            self._notes.append(f"only the first of its {len(authors)} authors was taken")
        article = Article(
            path=self._name,
            title=text_of(self._front, "title") or self._heading() or self._title_of_name(),
            slug=self._slug(),
            markdown=self._markdown,
            state=state,
            published_at=published_at,
            created_at=created_at,
            author=authors[0] if authors else None,
            tags=self._tags(),
            notes=tuple(self._notes),
        )
        _check(article)
        author = None if article.author is None else normalize_nickname(article.author)
        return replace(article, title=normalize_line(article.title), author=author)

    def _state(self) -> PostState:
        if is_true(self._front, "archived"):
            return PostState.ARCHIVED
        is_draft = is_true(self._front, "draft") or not is_true(self._front, "published", default=True)
        return PostState.DRAFT if is_draft or DRAFTS in self._folders else PostState.PUBLISHED

    def _dates(self, state: PostState) -> tuple[datetime | None, datetime | None]:
        """Return when the post was or will be published, and when it was created.

        The file's name dates what is published; what was never published needs no date.
        """
        dated = self._told_date()
        published_at = read_date(self._front.get("publishdate")) or dated
        created_at = read_date(self._front.get("created")) or dated or published_at
        if state is PostState.PUBLISHED and published_at is None:
            published_at = self._date_of_name() or created_at
            if published_at is None:
                raise NotAPost("it has no date")
        return None if state is PostState.DRAFT else published_at, created_at or self._date_of_name()

    def _told_date(self) -> datetime | None:
        """Read `date`; that of the file's name replaces one that is mistyped."""
        try:
            return read_date(self._front.get("date"))
        except Unreadable as unreadable:
            named = self._date_of_name()
            if named is None:
                raise
            self._notes.append(f"{unreadable}, so that of its name was taken")
            return named

    def _date_of_name(self) -> datetime | None:
        dated = DATED_NAME.fullmatch(self._stem) or DATED_FOLDERS.search("/".join(self._folders))
        return read_date(dated["date"]) if dated else None

    def _plain_name(self) -> str:
        dated = DATED_NAME.fullmatch(self._stem)
        return dated["name"] if dated else self._stem

    def _title_of_name(self) -> str:
        title = self._plain_name().replace("-", " ").strip()
        return title[:1].upper() + title[1:]

    def _heading(self) -> str:
        """Return the text of the first heading that has one, as a reader sees it; a text that is refused has none."""
        if len(self._markdown) > MAX_MARKDOWN_LENGTH:
            return ""
        try:
            headings = headings_of(render(self._markdown).html)
        except Unrenderable:
            return ""
        return next((text for heading in headings if (text := " ".join(heading.text.split()))), "")

    def _slug(self) -> str:
        addresses = (slug_of_address(text_of(self._front, name)) for name in ("permalink", "path", "url"))
        candidates = (text_of(self._front, "slug"), *addresses, self._plain_name())
        for candidate in (candidate[:MAX_SLUG_SOURCE_LENGTH] for candidate in candidates):
            slug = slug_of(candidate, MAX_POST_SLUG_LENGTH)
            if slug:
                if len(slug_of(candidate, len(candidate) + MAX_POST_SLUG_LENGTH)) > len(slug):
                    self._notes.append(f"its slug was cut to {MAX_POST_SLUG_LENGTH} characters")
                return slug
        raise Unreadable("no part of its name can be used in a URL")

    def _tags(self) -> tuple[str, ...]:
        tags = tags_of(self._front)
        if len(tags) > MAX_TAGS_PER_POST:
            self._notes.append(f"only {MAX_TAGS_PER_POST} of its {len(tags)} tags were taken")
        return tags[:MAX_TAGS_PER_POST]


def _check(article: Article) -> None:
    problems = [*_problems(article)]
    if problems:
        raise Unreadable("; ".join(f"{' '.join(problem.path or ())}: {problem.message}" for problem in problems))
    if len(article.markdown) > MAX_MARKDOWN_LENGTH:
        raise Unreadable(f"its text is longer than {MAX_MARKDOWN_LENGTH} characters")


def _problems(article: Article) -> Iterator[Problem]:
    yield from check_title(article.title, ("title",))
    for tag in article.tags:
        path: ProblemPath = ("tag", repr(tag[:40]))
        yield from check_tag_name(tag, path)
    if article.author is not None:
        yield from check_display_name(article.author, ("author",))
