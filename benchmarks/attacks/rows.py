"""The rows of `content.py` in a database, of one author among users, and tags of all posts."""

from datetime import UTC, datetime, timedelta

from benchmarks.attacks.attack import AUTHOR_TOKEN
from benchmarks.attacks.content import COMMON_WORD, POSTS, TEXT_LENGTH, WIDE_POST_SLUG, long_text, uuid_of
from gqlapi.accounts.tokens import hash_secret
from gqlapi.content import RENDERER_VERSION
from gqlapi.database.unit import Database
from gqlapi.models import ApiScope, ApiToken, Post, PostState, PostTag, Tag, User, UserRole
from gqlapi.repositories.search import SearchIndex

USERS = TAGS = 100
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
TAGS_OF_POST = 20


async def write_rows(database: Database) -> None:
    """Write all rows in one transaction."""
    users, tags = [_user(number) for number in range(USERS)], [_tag(number) for number in range(TAGS)]
    token = ApiToken(
        user_id=users[0].id,
        hash=hash_secret(AUTHOR_TOKEN),
        name="attacks",
        scopes=frozenset({ApiScope.READ, ApiScope.WRITE_POSTS, ApiScope.ADMIN}),
    )
    posts = [_post(number, users[0], tags) for number in range(POSTS)]
    async with database.write() as session:
        session.add_all([*users, *tags])
        await session.flush()
        session.add_all([token, *posts])
        await session.flush()
        await SearchIndex(session).put([*users, *tags, *posts])


def _user(number: int) -> User:
    name = f"user{number}"
    return User(
        id=uuid_of("User", number),
        username=name,
        username_key=name,
        email=f"{name}@example.com",
        email_key=f"{name}@example.com",
        display_name=f"User {number}",
        bio=f"{COMMON_WORD} ".ljust(TEXT_LENGTH, "b"),
        role=UserRole.AUTHOR,
    )


def _tag(number: int) -> Tag:
    name = f"tag{number}"
    description = f"{COMMON_WORD} ".ljust(TEXT_LENGTH, "d")
    return Tag(id=uuid_of("Tag", number), name=name, name_key=name, slug=name, description=description)


def _post(number: int, author: User, tags: list[Tag]) -> Post:
    title, text = f"Post {number}", long_text(number)
    post = Post(
        id=uuid_of("Post", number),
        author_id=author.id,
        title=title,
        title_key=title.lower(),
        slug=f"post-{number}" if number else WIDE_POST_SLUG,
        state=PostState.PUBLISHED,
        published_at=FIRST_DAY + timedelta(days=number),
        markdown=text,
        html=f"<p>{text}</p>\n",
        text=text,
        reading_time_minutes=100,
        renderer=RENDERER_VERSION,
    )
    post.post_tags = [
        PostTag(tag_id=tags[(number + place) % TAGS].id, position=place, visible_from=post.visible_from)
        for place in range(TAGS_OF_POST)
    ]
    return post
