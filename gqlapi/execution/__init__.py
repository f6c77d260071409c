"""Execution of GraphQL operations; knows graphql-core and Strawberry, and nothing of posts."""
