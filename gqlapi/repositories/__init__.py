"""All SQL and all visibility rules."""

from functools import cached_property, lru_cache

from gqlapi.repositories.accounts import ApiTokenSource, CredentialRepository, OwnRepository, SessionSource
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.documents import DocumentRepository
from gqlapi.repositories.neighbours import NeighbourRepository
from gqlapi.repositories.post_aggregates import PostAggregateRepository
from gqlapi.repositories.posts import PostRepository, PostSource
from gqlapi.repositories.search import SearchRepository
from gqlapi.repositories.sources import PUBLIC, ViewerKind
from gqlapi.repositories.tags import TagRepository, TagSource
from gqlapi.repositories.users import UserRepository, UserSource
from gqlapi.repositories.write_scope import WriteScope


class Sources:
    """The statements of all repositories for one kind of viewer."""

    def __init__(self, viewer: ViewerKind, dialect_name: str) -> None:
        """Create statements for a kind of viewer."""
        self.users = UserSource(viewer, dialect_name)
        self.tags = TagSource(viewer, dialect_name)
        self.posts = PostSource(viewer, dialect_name, self.users, self.tags)
        self.public_users = UserSource(PUBLIC, dialect_name)
        # Filters by author compare what the viewer sees of authors.
        self.public_posts = PostSource(PUBLIC, dialect_name, self.users, self.tags)
        self.api_tokens = ApiTokenSource(viewer, dialect_name)
        self.sessions = SessionSource(viewer, dialect_name)


# There are four kinds of viewers, and two databases.
_sources = lru_cache(maxsize=16)(Sources)


class Repositories:
    """The repositories of one operation."""

    def __init__(self, scope: ReadScope) -> None:
        """Bind all repositories to an operation."""
        self.scope = scope

    @cached_property
    def _sources(self) -> Sources:
        return _sources(ViewerKind.of(self.scope.viewer), self.scope.dialect_name)

    @cached_property
    def users(self) -> UserRepository:
        """Reads of users."""
        return UserRepository(self.scope, self._sources.users)

    @cached_property
    def tags(self) -> TagRepository:
        """Reads of tags."""
        return TagRepository(self.scope, self._sources.tags)

    @cached_property
    def posts(self) -> PostRepository:
        """Reads of posts."""
        return PostRepository(self.scope, self._sources.posts, self._sources.public_posts)

    @cached_property
    def neighbours(self) -> NeighbourRepository:
        """Reads of the posts around posts."""
        return NeighbourRepository(self.scope, self.posts)

    @cached_property
    def api_tokens(self) -> OwnRepository:
        """Reads of the viewer's API tokens."""
        return OwnRepository(self.scope, self._sources.api_tokens)

    @cached_property
    def sessions(self) -> OwnRepository:
        """Reads of the viewer's sessions."""
        return OwnRepository(self.scope, self._sources.sessions)

    @cached_property
    def credentials(self) -> CredentialRepository:
        """Reads of password hashes."""
        return CredentialRepository(self.scope.unit)

    @cached_property
    def post_aggregates(self) -> PostAggregateRepository:
        """Aggregate statistics about posts."""
        return PostAggregateRepository(self.scope, self.posts)

    @cached_property
    def documents(self) -> DocumentRepository:
        """Reads of trusted documents."""
        return DocumentRepository(self.scope.unit)

    @cached_property
    def search(self) -> SearchRepository:
        """Search across all of them."""
        return SearchRepository(self.scope, self.posts, self._sources.public_users, self._sources.tags)


__all__ = ["ReadScope", "Repositories", "WriteScope"]
