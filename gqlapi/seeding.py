"""A small blog, the same at every run, so that a first hour with the server has something to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from gqlapi.content import RENDERER_VERSION, render
from gqlapi.database.unit import Database
from gqlapi.models import Post, PostState, PostTag, Tag, User, UserRole, new_id
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.search import SearchIndex
from gqlapi.words import fold

START = datetime(2024, 1, 1, 8, tzinfo=UTC)
NAMES = ("Ada", "Bela", "Chen", "Dana", "Emre", "Farah", "Goran", "Hana", "Ines", "Jomo", "Kaya", "Lior")
SURNAMES = ("Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Kowalska", "Rossi", "Ito")
TOPICS = (
    "caching", "queues", "indexes", "migrations", "testing", "tracing", "pagination", "schemas", "deployments",
    "backups", "typography", "accessibility", "forms", "images", "search", "translation", "privacy", "profiling",
    "retries", "timeouts", "naming", "reviews", "onboarding", "estimates", "documentation",
)  # fmt: skip
OPENINGS = (
    "What we learned about",
    "A field guide to",
    "Rethinking",
    "Small steps in",
    "The quiet cost of",
    "Notes on",
)
SETTINGS = ("at scale", "for small teams", "after a bad week", "in practice", "without drama", "from scratch")
SENTENCES = (
    "The first version worked, and that was the problem.",
    "Nobody had measured it, so everybody had an opinion.",
    "We wrote down what we expected before we looked.",
    "Half of the time went into a case that never happens.",
    "A short list on the wall did more than the long one in the wiki.",
    "The numbers moved in the right direction, slowly and then at once.",
    "Readers noticed the change before the dashboards did.",
    "It took three attempts, and the second one was deleted on a Friday.",
)
# One post in so many is a draft, is scheduled, is archived.
DRAFT_EVERY, SCHEDULED_EVERY, ARCHIVED_EVERY = 20, 50, 100


@dataclass(frozen=True, slots=True)
class SeedSize:
    """How much to make."""

    users: int = 20
    posts: int = 500
    tags: int = 25


async def seed(database: Database, size: SeedSize | None = None, *, key: int = 1) -> bool:
    """Fill an empty database in one transaction; return False, and change nothing, when it has users.

    The same size and key make the same rows, ids included; only scheduled posts depend on the clock.
    """
    if await has_users(database):
        return False
    random = Random(key)  # noqa: S311 - texts to look at, not secrets
    size = size or SeedSize()
    async with database.write() as session:
        users = [_make_user(random, number) for number in range(size.users)]
        tags = [_make_tag(random, number) for number in range(size.tags)]
        session.add_all([*users, *tags])
        await session.flush()
        posts = list(_make_posts(random, size.posts, users, tags))
        session.add_all(posts)
        await session.flush()
        await SearchIndex(session).put([*users, *tags, *posts])
    return True


async def has_users(database: Database) -> bool:
    """Tell whether anybody has signed up, or a seed ran."""
    unit = database.read()
    try:
        return await Repositories(ReadScope(unit, database.dialect_name)).users.exist()
    finally:
        await unit.close()


def _make_user(random: Random, number: int) -> User:
    name, surname = NAMES[number % len(NAMES)], SURNAMES[number * 7 % len(SURNAMES)]
    username = f"{name}{'' if number < len(NAMES) else number}".lower()
    created_at = START + timedelta(hours=number)
    return User(
        id=new_id(created_at, random.getrandbits),
        username=username,
        username_key=fold(username),
        display_name=f"{name} {surname}",
        email=f"{username}@example.com",
        email_key=f"{username}@example.com",
        bio=f"Writes about {random.choice(TOPICS)} and {random.choice(TOPICS)}.",
        role=UserRole.ADMIN if number == 0 else UserRole.AUTHOR,
        created_at=created_at,
        updated_at=created_at,
    )


def _make_tag(random: Random, number: int) -> Tag:
    topic = TOPICS[number % len(TOPICS)]
    name = topic if number < len(TOPICS) else f"{topic} {number // len(TOPICS) + 1}"
    created_at = START + timedelta(minutes=number)
    return Tag(
        id=new_id(created_at, random.getrandbits),
        slug=name.replace(" ", "-"),
        name=name.capitalize(),
        name_key=fold(name),
        created_at=created_at,
        updated_at=created_at,
    )


def _make_posts(random: Random, count: int, users: list[User], tags: list[Tag]) -> Iterator[Post]:
    for number in range(count):
        created_at = START + timedelta(days=2, minutes=97 * number + random.randrange(90))
        post = _make_post(random, number, created_at)
        post.author_id = random.choice(users).id
        # The square of a uniform number: a few tags carry most posts.
        picked = (
            dict.fromkeys(tags[int(random.random() ** 2 * len(tags))] for _ in range(random.randrange(4)))
            if tags
            else {}
        )
        post.post_tags = [
            PostTag(tag_id=tag.id, position=position, visible_from=post.visible_from)
            for position, tag in enumerate(picked)
        ]
        yield post


def _make_post(random: Random, number: int, created_at: datetime) -> Post:
    topic = random.choice(TOPICS)
    title = f"{random.choice(OPENINGS)} {topic} {random.choice(SETTINGS)}"
    markdown = _make_markdown(random, topic)
    content = render(markdown)
    state, published_at = _make_publication(number, created_at)
    return Post(
        id=new_id(created_at, random.getrandbits),
        slug=f"{fold(title).replace(' ', '-')}-{number + 1}",
        title=title,
        title_key=fold(title),
        state=state,
        published_at=published_at,
        markdown=markdown,
        html=content.html,
        text=content.text,
        reading_time_minutes=content.reading_time_minutes,
        renderer=RENDERER_VERSION,
        created_at=created_at,
        updated_at=created_at,
    )


def _make_publication(number: int, created_at: datetime) -> tuple[PostState, datetime | None]:
    if number % DRAFT_EVERY == DRAFT_EVERY - 1:
        return PostState.DRAFT, None
    if number % SCHEDULED_EVERY == SCHEDULED_EVERY // 2:
        return PostState.PUBLISHED, datetime.now(UTC) + timedelta(days=number % 30 + 1)
    state = PostState.ARCHIVED if number % ARCHIVED_EVERY == ARCHIVED_EVERY // 2 - 1 else PostState.PUBLISHED
    return state, created_at + timedelta(hours=1)


def _make_markdown(random: Random, topic: str) -> str:
    paragraphs = [" ".join(random.sample(SENTENCES, 4)) for _ in range(random.randint(2, 5))]
    return "\n\n".join(
        [
            f"A few words about **{topic}**.",
            paragraphs[0],
            f"## Why {topic}",
            *paragraphs[1:],
            f"- measure {topic}\n- write it down",
        ]
    )
