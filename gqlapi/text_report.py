"""Stored names, titles and slugs that could not be written today; nothing is changed."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gqlapi.accounts.registration import check_display_name, check_username
from gqlapi.accounts.users import UserPatch
from gqlapi.database.unit import Database
from gqlapi.models import GlobalId
from gqlapi.models.user import display_name_key
from gqlapi.problems import Problem, Rejected
from gqlapi.publishing.checks import check_tag_name, check_title
from gqlapi.repositories.stored_texts import read_posts, read_tags, read_users
from gqlapi.words import fold, slug_of

SHARES_KEY = "Another row has its key, so it is not found by this text."


@dataclass(frozen=True, slots=True)
class TextFinding:
    """A stored text, and why it could not be written today."""

    typename: str
    id: str
    field: str
    text: str
    reason: str

    def __str__(self) -> str:
        """Return one line that any terminal can show."""
        return f"{self.typename} {self.id} {self.field} {self.text!a}: {self.reason}"


async def report_texts(database: Database) -> AsyncIterator[TextFinding]:
    """Yield the findings about users, then tags, then posts, each in the order of their ids."""
    for typename, rows, check in (
        ("User", read_users(database), _check_user),
        ("Tag", read_tags(database), _check_tag),
        ("Post", read_posts(database), _check_post),
    ):
        async for row in rows:
            for field, text, reason in check(row):
                yield TextFinding(typename, GlobalId(typename, row.id).encode(), field, text, reason)


Found = Iterator[tuple[str, str, str]]


def _check_user(user: Any) -> Found:
    yield from _messages("username", user.username, check_username(user.username, ()))
    if user.username_skeleton is None:
        yield "username", user.username, "Another user has a name that looks the same."
    yield from _messages("displayName", user.display_name, check_display_name(user.display_name, ()))
    if user.display_name_key != display_name_key(user.display_name):
        yield "displayName", user.display_name, "It is ordered by an earlier name: write it again."
    if user.username_key != fold(user.username):
        yield "username", user.username, SHARES_KEY
    if user.email is not None and user.email_key != fold(user.email):
        yield "email", user.email, SHARES_KEY
    if user.avatar_url is not None:
        try:
            UserPatch({"avatar_url": user.avatar_url}).check()
        except Rejected as rejected:
            yield from _messages("avatarUrl", user.avatar_url, rejected.problems)


def _check_tag(tag: Any) -> Found:
    yield from _messages("name", tag.name, check_tag_name(tag.name, ()))
    if tag.name_key != fold(tag.name):
        yield "name", tag.name, SHARES_KEY
    yield from _check_slug(tag.slug)


def _check_post(post: Any) -> Found:
    yield from _messages("title", post.title, check_title(post.title, ()))
    yield from _check_slug(post.slug)


def _check_slug(slug: str) -> Found:
    if slug_of(slug, len(slug)) != slug:
        yield "slug", slug, "A slug is made of letters and digits with single hyphens between."


def _messages(field: str, text: str, problems: Iterable[Problem]) -> Found:
    return ((field, text, problem.message) for problem in problems)
