"""Finding, creating and organising tags."""

from collections.abc import Collection, Sequence
from itertools import chain
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, invalid, not_found, required
from gqlapi.database.failures import constraint_of
from gqlapi.models import GlobalId, Tag
from gqlapi.problems import (
    ConflictProblem,
    NotFoundProblem,
    Problem,
    ProblemCode,
    Rejected,
    ValidationProblem,
    reject_if_any,
)
from gqlapi.publishing.checks import MAX_TAG_SLUG_LENGTH, check_description, check_slug, check_tag_name
from gqlapi.publishing.drafts import TagRef
from gqlapi.repositories import WriteScope
from gqlapi.repositories.slugs import SUFFIX_LENGTH, free_slugs, random_slug
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.words import fold, slug_of

MAX_MERGED_TAGS = 100
NAME_TAKEN = "uq_tags_name_key"


class TagFinder:
    """Finds the tags that posts name, and creates those that are named for the first time."""

    def __init__(self, scope: WriteScope) -> None:
        """Find in a transaction."""
        self._scope = scope
        self._repository = TagWriteRepository(scope)
        self._by_id: dict[UUID, Tag] = {}
        self._by_slug: dict[str, Tag] = {}
        self._by_name: dict[str, Tag] = {}

    async def load(self, references: Collection[TagRef], *, creates: bool = True) -> None:
        """Load what the references name, in one statement, and create the names that are new.

        Raises:
            Rejected: the viewer may not create tags.
        """
        if not references:
            return
        names = {_name_key(ref.name): ref.name.strip() for ref in references if ref.name is not None}
        found = await self._repository.list_by_any_key(
            ids=[ref.id for ref in references if ref.id is not None],
            slugs=[fold(ref.slug) for ref in references if ref.slug is not None],
            name_keys=names,
        )
        for tag in found:
            self._keep(tag)
        missing = names.keys() - self._by_name.keys()
        if missing and creates:
            require(self._scope.viewer, Action.CREATE_TAG)
            # Sorted: two transactions that create the same tags wait for each other in one order.
            for name_key in sorted(missing):
                self._keep(await self._create(names[name_key]))

    def resolve(self, references: Sequence[TagRef]) -> tuple[list[UUID], list[Problem]]:
        """Return the keys of loaded tags in the order of the references, each once, and what was not found."""
        ids: dict[UUID, None] = {}
        problems: list[Problem] = []
        for ref in references:
            tag = self._find(ref)
            if tag is None:
                problems.append(_not_found(ref))
            else:
                ids[tag.id] = None
        return [*ids], problems

    def _find(self, ref: TagRef) -> Tag | None:
        if ref.id is not None:
            return self._by_id.get(ref.id)
        if ref.slug is not None:
            return self._by_slug.get(fold(ref.slug))
        return self._by_name.get(_name_key(ref.name or ""))

    def _keep(self, tag: Tag) -> None:
        self._by_id[tag.id] = self._by_slug[tag.slug] = self._by_name[tag.name_key] = tag

    async def _create(self, name: str) -> Tag:
        base = slug_of(name, MAX_TAG_SLUG_LENGTH - SUFFIX_LENGTH) or "tag"
        [slug] = await free_slugs(self._scope.session, Tag.slug, [base])
        while True:
            tag = Tag(slug=slug, name=name, name_key=_name_key(name), created_at=self._scope.now)
            try:
                await self._repository.create(tag)
            except IntegrityError as error:
                if constraint_of(error) == NAME_TAKEN:
                    existing = await self._repository.get_by_name_key(_name_key(name))
                    if existing is not None:  # somebody else created it at this moment
                        return existing
                slug = random_slug(base)
            else:
                return tag


def _not_found(ref: TagRef) -> Problem:
    given = GlobalId("Tag", ref.id).encode() if ref.id else None
    return NotFoundProblem(message="There is no such tag.", path=(*ref.path, "id" if ref.id else "slug"), id=given)


def _name_key(name: str) -> str:
    return fold(name.strip())


async def upsert_tag(
    scope: WriteScope, *, slug: str, name: str, description: str | None, keeps: bool
) -> tuple[UUID, bool]:
    """Create the tag with this slug or change it; return its key, and whether it is new.

    `keeps`: the description that a tag has stays as it is.

    Raises:
        Rejected: a value is wrong, another tag has the name, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_TAG)
    checks = check_slug(slug, ("slug",), MAX_TAG_SLUG_LENGTH), check_tag_name(name, ("name",))
    reject_if_any(chain(*checks, check_description(description, ("description",))))
    repository = TagWriteRepository(scope)
    values = {"name": name.strip(), "name_key": _name_key(name)} | ({} if keeps else {"description": description})
    while True:
        tag = await repository.get_by_slug_for_update(fold(slug))
        try:
            if tag is None:
                tag = Tag(slug=fold(slug), **values)
                await repository.create(tag)
                return tag.id, True
            async with repository.savepoint():
                for attribute, value in values.items():
                    setattr(tag, attribute, value)
                await repository.update(tag)
        except IntegrityError as error:
            if constraint_of(error) == NAME_TAKEN:
                raise await _name_taken(repository, name) from None
            # Else somebody created it at this moment: theirs is changed in the next round.
        else:
            return tag.id, False


async def _name_taken(repository: TagWriteRepository, name: str) -> Rejected:
    existing = await repository.get_by_name_key(_name_key(name))
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
    tags = await repository.list_for_update([id_])
    if not tags:
        raise not_found("Tag", GlobalId("Tag", id_).encode())
    check_version(tags[0], expected_version)
    await repository.delete(tags)


async def merge_tags(scope: WriteScope, source_ids: Sequence[UUID], into: UUID) -> None:
    """File all posts of the sources under `into` as well, each once, and delete the sources.

    The versions of the posts stay; that of `into` grows.

    Raises:
        Rejected: a tag is not there, `into` is among the sources, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_TAG)
    reject_if_any(_check_merge(source_ids, into))
    repository = TagWriteRepository(scope)
    tags = {tag.id: tag for tag in await repository.list_for_update([*source_ids, into])}
    paths = {id_: ("from", str(index)) for index, id_ in enumerate(source_ids)} | {into: ("into",)}
    reject_if_any(
        NotFoundProblem(message="There is no such tag.", path=path, id=GlobalId("Tag", id_).encode())
        for id_, path in paths.items()
        if id_ not in tags
    )
    target = tags.pop(into)
    await repository.copy_links([*tags.values()], target)
    await repository.delete([*tags.values()])
    await repository.update(target)


def _check_merge(source_ids: Sequence[UUID], into: UUID) -> list[Problem]:
    if not source_ids:
        return [required(("from",), "Name at least one tag.")]
    if len(source_ids) > MAX_MERGED_TAGS:
        message = f"At most {MAX_MERGED_TAGS} tags at once."
        return [ValidationProblem(code=ProblemCode.TOO_MANY, message=message, path=("from",))]
    return [
        invalid(("from", str(index)), "A tag cannot be merged into itself.")
        for index, id_ in enumerate(source_ids)
        if id_ == into
    ]
