"""HTTP: routes, limits on bodies, request ids."""
