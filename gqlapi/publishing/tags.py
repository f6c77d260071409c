"""Organising tags."""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, invalid, not_found, required, too_many
from gqlapi.database.failures import constraint_of
from gqlapi.models import GlobalId, Tag
from gqlapi.names import normalize_nickname
from gqlapi.problems import ConflictProblem, NotFoundProblem, Path, Problem, Rejected, reject_if_any
from gqlapi.publishing.checks import MAX_TAG_SLUG_LENGTH, check_description, check_slug, check_tag_name
from gqlapi.publishing.tag_finder import NAME_TAKEN, SLUG_TAKEN, name_key_of
from gqlapi.repositories import WriteScope
from gqlapi.repositories.records import TagRecord
from gqlapi.repositories.tag_writes import TagWriteRepository, record_of
from gqlapi.words import fold

MAX_MERGED_TAGS = 100


async def upsert_tag(
    scope: WriteScope, *, slug: str, name: str, description: str | None, keeps: bool
) -> tuple[TagRecord, bool]:
    """Create the tag with this slug or change it; return it as it was written, and whether it is new.

    `keeps`: the description that a tag has stays as it is.

    Raises:
        Rejected: a value is wrong, another tag has the name, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_TAG)
    checks = check_slug(slug, ("slug",), MAX_TAG_SLUG_LENGTH), check_tag_name(name, ("name",))
    reject_if_any(chain(*checks, check_description(description, ("description",))))
    repository = TagWriteRepository(scope)
    values = {"name": normalize_nickname(name), "name_key": name_key_of(name)} | (
        {} if keeps else {"description": description}
    )
    while True:
        tag = await repository.get_by_slug_for_update(fold(slug))
        try:
            if tag is None:
                tag = Tag(slug=fold(slug), **values)
                await repository.create(tag)
                return record_of(tag), True
            # Only another name can be taken: a savepoint costs two round trips.
            async with nullcontext() if tag.name_key == values["name_key"] else repository.savepoint():
                for attribute, value in values.items():
                    setattr(tag, attribute, value)
                await repository.update(tag)
        except IntegrityError as error:
            if constraint_of(error) == NAME_TAKEN:
                raise await _name_taken(repository, name) from None
            if constraint_of(error) != SLUG_TAKEN:
                raise
            # Somebody created it at this moment: theirs is changed in the next round.
        else:
            return record_of(tag), False


async def _name_taken(repository: TagWriteRepository, name: str) -> Rejected:
    existing = await repository.get_by_name_key(name_key_of(name))
    return Rejected(
        ConflictProblem(
            message="Another tag has this name.", path=("name",), existing_id=existing.global_id if existing else None
        )
    )


async def delete_tag(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Delete a tag, and take it off all posts, whose versions stay.

    Raises:
        Rejected: there is no such tag, it has changed, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_TAG)
    repository = TagWriteRepository(scope)
    tags = await repository.list_for_removal([id_])
    if not tags:
        raise not_found("Tag", GlobalId("Tag", id_).encode())
    check_version(tags[0], expected_version)
    await repository.delete(tags)


async def merge_tags(scope: WriteScope, source_ids: Sequence[UUID], into: UUID) -> TagRecord:
    """File all posts of the sources under `into` as well, each once, and delete the sources; return `into`.

    The versions of the posts stay; that of `into` grows.

    Raises:
        Rejected: a tag is not there, `into` is among the sources, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_TAG)
    reject_if_any(_check_merge(source_ids, into))
    repository = TagWriteRepository(scope)
    tags = {tag.id: tag for tag in await repository.list_for_update([*source_ids, into])}
    paths: dict[UUID, Path] = {into: ("into",)}
    for index, id_ in enumerate(source_ids):
        paths.setdefault(id_, ("from", str(index)))
    reject_if_any(
        NotFoundProblem(message="There is no such tag.", path=path, id=GlobalId("Tag", id_).encode())
        for id_, path in paths.items()
        if id_ not in tags
    )
    target = tags.pop(into)
    # A stronger lock: no transaction may link a post to a source any more; `into` can still be linked.
    sources = await repository.list_for_removal(tags)
    await repository.copy_links(sources, target)
    await repository.delete(sources)
    await repository.update(target)
    return record_of(target)


def _check_merge(source_ids: Sequence[UUID], into: UUID) -> list[Problem]:
    if not source_ids:
        return [required(("from",), "Name at least one tag.")]
    if len(source_ids) > MAX_MERGED_TAGS:
        return [too_many(("from",), MAX_MERGED_TAGS, f"At most {MAX_MERGED_TAGS} tags at once.")]
    return [
        invalid(("from", str(index)), "A tag cannot be merged into itself.")
        for index, id_ in enumerate(source_ids)
        if id_ == into
    ]
