"""A GraphQL API server for publishing."""

__version__ = "0.1.0"
