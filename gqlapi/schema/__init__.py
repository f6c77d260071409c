"""The GraphQL schema."""

from gqlapi.operations import Limits
from gqlapi.schema.server import Schema

__all__ = ["Limits", "Schema"]
