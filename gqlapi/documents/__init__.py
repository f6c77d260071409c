"""Documents that are known by an id: trusted ones, which operators add, and those that clients register.

https://github.com/graphql/graphql-over-http, appendix A, and Apollo's protocol for automatic persisted queries (APQ).
"""

from gqlapi.documents.automatic import DocumentStore, MemoryStore
from gqlapi.documents.persisted import PersistedDocuments
from gqlapi.documents.trusted import TrustedDocuments

__all__ = ["DocumentStore", "MemoryStore", "PersistedDocuments", "TrustedDocuments"]
