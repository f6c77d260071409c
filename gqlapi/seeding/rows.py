"""The rows of a seeded blog, as tuples in the order of the columns named here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple
from uuid import UUID

from gqlapi.content import RENDERER_VERSION
from gqlapi.database.types import to_milliseconds
from gqlapi.models import PostState, UserRole, new_id
from gqlapi.models.user import display_name_key
from gqlapi.names import skeleton
from gqlapi.seeding.texts import NAMES, SURNAMES, TOPICS, PoolText, make_tag_name, make_title
from gqlapi.words import fold

START = datetime(2016, 1, 4, 8, tzinfo=UTC)
TEN_YEARS_MS = timedelta(days=3_652) // timedelta(milliseconds=1)
FIRST_POST = START + timedelta(days=2)
# One post in so many is a draft, is scheduled, is archived.
DRAFT_EVERY, SCHEDULED_EVERY, ARCHIVED_EVERY = 20, 50, 100
MAX_TAGS = 6


class UserRow(NamedTuple):
    """A row of `users`."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    username: str
    username_key: str
    username_skeleton: str
    display_name: str
    display_name_key: str
    email: str
    email_key: str
    bio: str
    role: str


class TagRow(NamedTuple):
    """A row of `tags`."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    slug: str
    name: str
    name_key: str


class PostRow(NamedTuple):
    """A row of `posts`."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    author_id: UUID
    slug: str
    title: str
    title_key: str
    state: str
    published_at: datetime | None
    reading_time_minutes: int
    renderer: int
    markdown: str
    html: str
    text: str

    @property
    def visible_from(self) -> datetime | None:
        """What the post's links repeat."""
        return self.published_at if self.state == PostState.PUBLISHED else None


class LinkRow(NamedTuple):
    """A row of `post_tags`."""

    post_id: UUID
    tag_id: UUID
    position: int
    visible_from: datetime | None


def make_users(random: Random, count: int) -> Iterator[UserRow]:
    """Create users; the first is an admin, the others write."""
    for number in range(count):
        name, surname = NAMES[number % len(NAMES)], SURNAMES[number * 7 % len(SURNAMES)]
        username = f"{name}{'' if number < len(NAMES) else number}".lower()
        created_at = START + timedelta(seconds=number)
        email = f"{username}@example.com"
        yield UserRow(
            id=new_id(created_at, random.getrandbits),
            version=1,
            created_at=created_at,
            updated_at=created_at,
            username=username,
            username_key=fold(username),
            username_skeleton=skeleton(username),
            display_name=f"{name} {surname}",
            display_name_key=display_name_key(f"{name} {surname}"),
            email=email,
            email_key=fold(email),
            bio=f"Writes about {random.choice(TOPICS)} and {random.choice(TOPICS)}.",
            role=UserRole.AUTHOR if number else UserRole.ADMIN,
        )


def make_tags(random: Random, count: int) -> Iterator[TagRow]:
    """Create tags."""
    for number in range(count):
        name = make_tag_name(number)
        created_at = START + timedelta(seconds=number)
        key = fold(name)
        id_ = new_id(created_at, random.getrandbits)
        yield TagRow(id_, 1, created_at, created_at, key.replace(" ", "-"), name, key)


def make_posts(random: Random, count: int, authors: list[UUID], pool: list[PoolText]) -> Iterator[PostRow]:
    """Create posts over ten years; a few authors write most of them."""
    now = to_milliseconds(datetime.now(UTC))
    for number in range(count):
        created_at = creation_time(number, count)
        text = random.choice(pool)
        title = make_title(random, text.topic)
        key = fold(title)
        state, published_at = _make_publication(number, created_at, now)
        yield PostRow(
            id=new_id(created_at, random.getrandbits),
            version=1,
            created_at=created_at,
            updated_at=created_at,
            author_id=authors[int(random.random() ** 2 * len(authors))],
            slug=f"{key.replace(' ', '-')}-{number + 1}",
            title=title,
            title_key=key,
            state=state,
            published_at=published_at,
            reading_time_minutes=text.content.reading_time_minutes,
            renderer=RENDERER_VERSION,
            markdown=text.markdown,
            html=text.content.html,
            text=text.content.text,
        )


def creation_time(number: int, count: int) -> datetime:
    """Return when the post of a number was created; the product of a time and a large number has no room in one."""
    return FIRST_POST + timedelta(milliseconds=TEN_YEARS_MS * number // count)


def make_links(random: Random, posts: list[tuple[UUID, datetime | None]], tags: list[UUID]) -> Iterator[LinkRow]:
    """Create about three links a post, most of them to a few tags: the n-th tag is n times rarer than the first."""
    if not tags:
        return
    weights = list(accumulate(1 / rank for rank in range(1, len(tags) + 1)))
    for post_id, visible_from in posts:
        wanted = random.randint(0, min(MAX_TAGS, len(tags)))
        picked = dict.fromkeys(random.choices(tags, cum_weights=weights, k=wanted))
        for position, tag_id in enumerate(picked):
            yield LinkRow(post_id, tag_id, position, visible_from)


def _make_publication(number: int, created_at: datetime, now: datetime) -> tuple[PostState, datetime | None]:
    if number % DRAFT_EVERY == DRAFT_EVERY - 1:
        return PostState.DRAFT, None
    if number % SCHEDULED_EVERY == SCHEDULED_EVERY // 2:
        return PostState.PUBLISHED, now + timedelta(days=number % 30 + 1)
    state = PostState.ARCHIVED if number % ARCHIVED_EVERY == ARCHIVED_EVERY // 2 - 1 else PostState.PUBLISHED
    return state, created_at + timedelta(hours=1)
