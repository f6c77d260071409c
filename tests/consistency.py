"""What always holds between the tables of a blog, after any writer, however the writing ended."""

from collections import defaultdict
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.search import DOCUMENTS
from gqlapi.database.unit import Database
from gqlapi.models import Base, Post, PostChange, PostTag, Tag, User


async def assert_consistent(database: Database) -> None:
    """Links repeat what their posts say, the change feed has each version once, and the search knows every row."""
    async with database.write() as session:
        posts = {post.id: post for post in await session.scalars(sa.select(Post))}
        tag_ids = {*await session.scalars(sa.select(Tag.id))}
        for link in await session.scalars(sa.select(PostTag)):
            assert link.tag_id in tag_ids
            assert link.visible_from == posts[link.post_id].visible_from
        versions: defaultdict[UUID, list[int]] = defaultdict(list)
        for change in await session.scalars(sa.select(PostChange).order_by(PostChange.id)):
            versions[change.post_id].append(change.version)
        for post_id, logged in versions.items():
            last = posts[post_id].version
            assert logged == [*range(last - len(logged) + 1, last + 1)]
        users = {*await session.scalars(sa.select(User.id))}
        indexed = [*await session.scalars(sa.select(DOCUMENTS.c.node_id))]
        assert len(indexed) == len({*indexed})
        assert {*indexed} == {*posts, *tag_ids, *users}


async def count(database: Database, model: type[Base]) -> int:
    """Return the number of rows."""
    async with database.write() as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(model))).scalar_one()
