"""HTTP: routes, limits on bodies, request ids."""

GRAPHQL_PATH = "/graphql"
