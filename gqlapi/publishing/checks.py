"""What texts must be like; each check returns what is wrong, so that an input is told all at once."""

from collections.abc import Iterator

from gqlapi.models import Row
from gqlapi.problems import (
    NotFoundProblem,
    Path,
    Problem,
    ProblemCode,
    Rejected,
    ValidationProblem,
    VersionConflictProblem,
)
from gqlapi.words import fold, slug_of

MAX_TITLE_LENGTH = 300
MAX_TITLE_KEY_LENGTH = 600
MAX_MARKDOWN_LENGTH = 100_000
MAX_POST_SLUG_LENGTH = 200
MAX_TAG_SLUG_LENGTH = 100
MAX_TAG_NAME_LENGTH = 100
# NFKC makes up to 18 characters of one; an index row of PostgreSQL holds 2,700 bytes.
MAX_NAME_KEY_LENGTH = 600
MAX_DESCRIPTION_LENGTH = 2_000
MAX_TAGS_PER_POST = 20


def too_long(path: Path, most: int) -> Problem:
    """Return the problem of a text over its limit."""
    return ValidationProblem(code=ProblemCode.TOO_LONG, message=f"At most {most} characters.", path=path)


def required(path: Path, message: str = "This cannot be empty.") -> Problem:
    """Return the problem of a value that is missing."""
    return ValidationProblem(code=ProblemCode.REQUIRED, message=message, path=path)


def invalid(path: Path, message: str) -> Problem:
    """Return the problem of a value that cannot be taken."""
    return ValidationProblem(code=ProblemCode.INVALID, message=message, path=path)


def check_line(text: str, path: Path, most: int, most_folded: int) -> Iterator[Problem]:
    """Check a title or a name, which cannot be empty."""
    if not text.strip():
        yield required(path)
    elif len(text) > most or len(fold(text)) > most_folded:
        yield too_long(path, most)


def check_title(title: str, path: Path) -> Iterator[Problem]:
    """Check the title of a post."""
    yield from check_line(title, path, MAX_TITLE_LENGTH, MAX_TITLE_KEY_LENGTH)


def check_tag_name(name: str, path: Path) -> Iterator[Problem]:
    """Check the name of a tag."""
    yield from check_line(name, path, MAX_TAG_NAME_LENGTH, MAX_NAME_KEY_LENGTH)


def check_markdown(markdown: str, path: Path) -> Iterator[Problem]:
    """Check the body of a post, which may be empty while it is a draft."""
    if len(markdown) > MAX_MARKDOWN_LENGTH:
        yield too_long(path, MAX_MARKDOWN_LENGTH)


def check_slug(slug: str, path: Path, most: int) -> Iterator[Problem]:
    """Check a slug that a client chose."""
    folded = fold(slug)
    if not folded:
        yield required(path)
    elif len(folded) > most:
        yield too_long(path, most)
    elif slug_of(folded, most) != folded:
        yield invalid(
            path, f"A slug is made of letters and digits with single hyphens between, such as {_example(slug, most)!r}."
        )


def _example(slug: str, most: int) -> str:
    return slug_of(slug, most) or "my-first-post"


def check_version(row: Row, expected: int | None) -> None:
    """Compare the version that a client read with that of a locked row.

    Raises:
        Rejected: the row has changed since.
    """
    if expected is not None and expected != row.version:
        message = f"Version {expected} was expected; the current one is {row.version}."
        raise Rejected(
            VersionConflictProblem(
                message=message,
                path=("expectedVersion",),
                expected_version=expected,
                current_version=row.version,
                current_id=row.global_id,
            )
        )


def not_found(typename: str, global_id: str | None, path: Path = ("id",)) -> Rejected:
    """Return the rejection of an id that names nothing the viewer may know of."""
    message = f"There is no such {typename.lower()}."
    return Rejected(NotFoundProblem(message=message, path=path, id=global_id))
