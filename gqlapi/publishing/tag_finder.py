"""Finding the tags that posts name, and creating those that are named for the first time."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.database.failures import constraint_of
from gqlapi.database.slugs import TAG_SLUGS
from gqlapi.models import GlobalId, Tag, TagSlug, new_id
from gqlapi.names import normalize_nickname
from gqlapi.problems import NotFoundProblem, Problem
from gqlapi.publishing.checks import MAX_TAG_SLUG_LENGTH
from gqlapi.publishing.drafts import TagRef
from gqlapi.repositories import WriteScope
from gqlapi.repositories.slugs import SUFFIX_LENGTH, free_slugs, random_slug
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.words import fold, slug_of

NAME_TAKEN = "uq_tags_name_key"


def name_key_of(name: str) -> str:
    """Return what names of tags are compared by."""
    return fold(normalize_nickname(name))


class TagFinder:
    """Tags of one transaction, looked up and created for many posts at once."""

    def __init__(self, scope: WriteScope) -> None:
        """Find in a transaction."""
        self._scope = scope
        self._repository = TagWriteRepository(scope)
        self._by_id: dict[UUID, Tag] = {}
        self._by_slug: dict[str, Tag] = {}
        self._by_name: dict[str, Tag] = {}

    async def load(self, references: Collection[TagRef]) -> list[Problem]:
        """Load what the references name; return what is not there. A new name is no problem.

        One statement, and one more if slugs are those of tags that were merged, or of none.
        """
        if references:
            found = await self._repository.list_by_any_key(
                ids=[ref.id for ref in references if ref.id is not None],
                slugs=[fold(ref.slug) for ref in references if ref.slug is not None],
                name_keys=[name_key_of(ref.name) for ref in references if ref.name is not None],
            )
            for tag in found:
                self._keep(tag)
            old = {fold(ref.slug) for ref in references if ref.slug is not None} - self._by_slug.keys()
            for slug, id_ in (await self._repository.ids_by_slug(old)).items():
                self._by_slug[slug] = self._by_id[id_]
        return self.missing(references)

    def missing(self, references: Collection[TagRef]) -> list[Problem]:
        """Return the problems of loaded references that name no tag by id or slug."""
        return [_not_found(ref) for ref in references if ref.name is None and self._find(ref) is None]

    async def create(self, references: Collection[TagRef]) -> None:
        """Create the loaded names that are new, in a constant number of statements.

        Raises:
            Rejected: the viewer may not create tags.
        """
        names: dict[str, str] = {}
        for ref in references:
            if ref.name is not None and name_key_of(ref.name) not in self._by_name:
                names.setdefault(name_key_of(ref.name), normalize_nickname(ref.name))
        if not names:
            return
        require(self._scope.viewer, Action.CREATE_TAG)
        # Sorted: two transactions that create the same tags wait for each other in one order.
        names = dict(sorted(names.items()))
        await self._create_all(names)
        for name_key in names.keys() - self._by_name.keys():
            self._keep(await self._create(names[name_key]))  # its slug was taken at this moment

    def ids_of(self, references: Collection[TagRef]) -> list[UUID]:
        """Return the keys of the tags that were found or created, in the order of the references, each once."""
        tags = (self._find(ref) for ref in references)
        return [*dict.fromkeys(tag.id for tag in tags if tag is not None)]

    def _find(self, ref: TagRef) -> Tag | None:
        if ref.id is not None:
            return self._by_id.get(ref.id)
        if ref.slug is not None:
            return self._by_slug.get(fold(ref.slug))
        return self._by_name.get(name_key_of(ref.name or ""))

    def _keep(self, tag: Tag) -> None:
        self._by_id[tag.id] = self._by_slug[tag.slug] = self._by_name[tag.name_key] = tag

    async def _create_all(self, names: Mapping[str, str]) -> None:
        slugs = await free_slugs(self._scope.session, TagSlug, [*map(_slug_base, names.values())])
        tags = [self._make(name, slug) for name, slug in zip(names.values(), slugs, strict=True)]
        await self._repository.create_missing(tags)
        for tag in await self._repository.list_by_any_key(ids=(), slugs=(), name_keys=names):
            self._keep(tag)

    async def _create(self, name: str) -> Tag:
        while True:
            tag = self._make(name, random_slug(_slug_base(name)))
            try:
                await self._repository.create(tag)
            except IntegrityError as error:
                if constraint_of(error) not in {NAME_TAKEN, *TAG_SLUGS.constraints}:
                    raise
                existing = await self._repository.get_by_name_key(tag.name_key)
                if existing is not None:
                    return existing
            else:
                return tag

    def _make(self, name: str, slug: str) -> Tag:
        now = self._scope.now
        return Tag(id=new_id(now), slug=slug, name=name, name_key=name_key_of(name), created_at=now, updated_at=now)


def _slug_base(name: str) -> str:
    return slug_of(name, MAX_TAG_SLUG_LENGTH - SUFFIX_LENGTH) or "tag"


def _not_found(ref: TagRef) -> Problem:
    given = GlobalId("Tag", ref.id).encode() if ref.id else None
    return NotFoundProblem(message="There is no such tag.", path=(*ref.path, "id" if ref.id else "slug"), id=given)
