"""All SQL and all visibility rules."""

from functools import cached_property

from gqlapi.repositories.accounts import ApiTokenRepository, CredentialRepository, SessionRepository
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.post_aggregates import PostAggregateRepository
from gqlapi.repositories.posts import PostRepository
from gqlapi.repositories.search import Kind, SearchRepository
from gqlapi.repositories.tags import TagRepository
from gqlapi.repositories.users import UserRepository
from gqlapi.repositories.write_scope import WriteScope


class Repositories:
    """The repositories of one operation."""

    def __init__(self, scope: ReadScope) -> None:
        """Bind all repositories to an operation."""
        self.scope = scope

    @cached_property
    def users(self) -> UserRepository:
        """Reads of users."""
        return UserRepository(self.scope)

    @cached_property
    def tags(self) -> TagRepository:
        """Reads of tags."""
        return TagRepository(self.scope)

    @cached_property
    def posts(self) -> PostRepository:
        """Reads of posts."""
        return PostRepository(self.scope, self.users, self.tags)

    @cached_property
    def api_tokens(self) -> ApiTokenRepository:
        """Reads of the viewer's API tokens."""
        return ApiTokenRepository(self.scope)

    @cached_property
    def sessions(self) -> SessionRepository:
        """Reads of the viewer's sessions."""
        return SessionRepository(self.scope)

    @cached_property
    def credentials(self) -> CredentialRepository:
        """Reads of password hashes."""
        return CredentialRepository(self.scope.unit)

    @cached_property
    def post_aggregates(self) -> PostAggregateRepository:
        """Figures about posts."""
        return PostAggregateRepository(self.scope, self.posts)

    @cached_property
    def search(self) -> SearchRepository:
        """Search across all of them."""
        return SearchRepository(self.scope, {Kind.POST: self.posts, Kind.USER: self.users, Kind.TAG: self.tags})


__all__ = ["ReadScope", "Repositories", "WriteScope"]
