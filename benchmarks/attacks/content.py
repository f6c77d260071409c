"""Content that an author may write and that hurts its readers, with ids that attacks can name."""

from uuid import UUID

from gqlapi.models import GlobalId

POSTS = 100
BODY_LENGTH = 100_000
TEXT_LENGTH = 2_000  # of biographies and descriptions
COMMON_WORD = "lorem"
WIDE_POST_SLUG = "wide"

# Version 7 of 2020-01-01, so that ids are in the order of creation.
_FIRST = 0x016F5E66_E800_7000_8000_000000000000


def uuid_of(typename: str, number: int) -> UUID:
    """Return the id of a row."""
    return UUID(int=_FIRST + number + 1_000 * ("User", "Tag", "Post").index(typename))


POST_IDS = [GlobalId("Post", uuid_of("Post", number)).encode() for number in range(POSTS)]
OWN_POST_ID = POST_IDS[0]
OWN_USER_ID = GlobalId("User", uuid_of("User", 0)).encode()


def long_text(number: int) -> str:
    """Return a body of the largest allowed length; the word that all share comes last."""
    words = " ".join(f"w{(number + index) % 5_000}" for index in range(BODY_LENGTH // 5))
    return f"{words[: BODY_LENGTH - len(COMMON_WORD) - 2]}\n {COMMON_WORD}"
