"""GraphiQL for browsers: bundled with Node once, then served from this package without any other host."""
