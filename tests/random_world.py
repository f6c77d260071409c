"""A small database with posts in every state, and with texts that are hard to compare and to sort."""

from datetime import UTC, datetime, timedelta
from random import Random

from gqlapi.models import Post, PostState, Tag, User, UserRole, new_id
from tests.factories import make_post, make_tag, make_user
from tests.world import World

START = datetime(2021, 3, 1, tzinfo=UTC)
NEVER = datetime(2999, 1, 1, tzinfo=UTC)
TITLES = (
    *("Equal", "Equal", "equal", "EQUAL", "Straße", "STRASSE", "100% sure", "100_ sure", "1000 sure", "%", "_", "ﬁn"),
    *("Fin", "Éclair", "E\u0301clair", "İstanbul", "ΣΊΣΥΦΟΣ", "σίσυφος", "日本語", "🦊 fox", "a\\b", 'it\'s "so"'),
    *("\uff21bc", "ångström", " leading", "Zebra", "z\tz", "\U0001f600"),
)
TAG_NAMES = ("Python", "ΣΟΦΙΑ", "100%", "a_b", "straße", "日本", "c\\d", "zeta", "Éa", "🦊", "web", "WebGL")
PARAGRAPHS = ("Short.", "Some *words* of text, and a [link](https://example.com).", "x" * 300, "many words " * 120)


def make_world() -> World:
    """Create the same rows at every call."""
    random = Random(7)  # noqa: S311 - test data

    def times(number: int) -> dict[str, object]:
        # A few rows were made, or changed, in the same millisecond.
        created_at = START + timedelta(minutes=number // 3)
        return {
            "created_at": created_at,
            "id": new_id(created_at, random.getrandbits),
            "updated_at": START + timedelta(days=random.randrange(20)),
            "version": 1,
        }

    users: list[User] = [
        make_user(
            username=f"{name}{number}",
            role=random.choice(list(UserRole)),
            bio=random.choice([None, "Bio"]),
            **times(number),
        )
        for number, name in enumerate(("Ada", "ada", "Bela_", "ßen%", "Ünal", "日") * 5)
    ]
    users[3].deleted_at = users[4].deleted_at = START
    tags: list[Tag] = [make_tag(name=name, **times(number)) for number, name in enumerate(TAG_NAMES)]
    return World(users, tags, [_make_post(random, users, tags, number, times(number)) for number in range(120)])


def _make_post(random: Random, users: list[User], tags: list[Tag], number: int, times: dict[str, object]) -> Post:
    state = PostState.PUBLISHED if number % 5 else random.choice([PostState.DRAFT, PostState.ARCHIVED])
    published_at = START + timedelta(hours=random.randrange(30))
    return make_post(
        random.choice(users[:20]),
        *random.sample(tags, random.choice([0, 1, 2, 3, 12])),
        title=random.choice(TITLES),
        slug=f"post_{number}%" if number % 7 == 0 else f"post-{number}",
        markdown="\n\n".join(random.choices(PARAGRAPHS, k=random.randrange(1, 5))),
        state=state,
        published_at=None if state is PostState.DRAFT else NEVER if number % 11 == 0 else published_at,
        deleted_at=START if number % 13 == 0 else None,
        **times,
    )
