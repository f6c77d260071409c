"""The GraphQL schema."""

from gqlapi.schema.limits import Limits
from gqlapi.schema.server import Schema

__all__ = ["Limits", "Schema"]
