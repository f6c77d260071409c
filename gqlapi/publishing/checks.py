"""What posts and tags must be like."""

from collections.abc import Iterator

from gqlapi.checks import check_line, check_name, invalid, required, too_long, too_many
from gqlapi.content import MAX_MARKDOWN_LENGTH, Unrenderable
from gqlapi.models import post, tag
from gqlapi.problems import Path, Problem
from gqlapi.words import fold_key, slug_of

MAX_TITLE_LENGTH, MAX_TITLE_KEY_LENGTH = post.MAX_TITLE_LENGTH, post.MAX_TITLE_KEY_LENGTH
MAX_POST_SLUG_LENGTH = post.MAX_POST_SLUG_LENGTH
MAX_TAG_SLUG_LENGTH = tag.MAX_TAG_SLUG_LENGTH
MAX_TAG_NAME_LENGTH, MAX_NAME_KEY_LENGTH = tag.MAX_TAG_NAME_LENGTH, tag.MAX_TAG_NAME_KEY_LENGTH
MAX_DESCRIPTION_LENGTH = 2_000
MAX_TAGS_PER_POST = 20


def check_title(title: str, path: Path) -> Iterator[Problem]:
    """Check the title of a post."""
    yield from check_line(title, path, MAX_TITLE_LENGTH, MAX_TITLE_KEY_LENGTH)


def check_tag_name(name: str, path: Path) -> Iterator[Problem]:
    """Check the name of a tag."""
    yield from check_name(name, path, MAX_TAG_NAME_LENGTH, MAX_NAME_KEY_LENGTH)


def check_description(description: str | None, path: Path) -> Iterator[Problem]:
    """Check the description of a tag."""
    if len(description or "") > MAX_DESCRIPTION_LENGTH:
        yield too_long(path, MAX_DESCRIPTION_LENGTH)


def check_markdown(markdown: str, path: Path) -> Iterator[Problem]:
    """Check the body of a post, which may be empty while it is a draft."""
    if len(markdown) > MAX_MARKDOWN_LENGTH:
        yield too_long(path, MAX_MARKDOWN_LENGTH)


def too_many_tags(path: Path) -> Problem:
    """Return the problem of a post with too many tags."""
    return too_many(path, MAX_TAGS_PER_POST, f"A post has at most {MAX_TAGS_PER_POST} tags.")


def unrenderable(path: Path, reason: Unrenderable) -> Problem:
    """Return the problem of Markdown that cannot be rendered; a shorter text may fail as well, so it has no limit."""
    return invalid(path, str(reason))


def check_slug(slug: str, path: Path, most: int) -> Iterator[Problem]:
    """Check a slug that a client chose."""
    folded = fold_key(slug, most)
    if folded is None:
        yield too_long(path, most)
    elif not folded:
        yield required(path)
    elif slug_of(folded, most) != folded:
        yield invalid(
            path, f"A slug is made of letters and digits with single hyphens between, such as {_example(slug, most)!r}."
        )


def _example(slug: str, most: int) -> str:
    return slug_of(slug, most) or "my-first-post"
