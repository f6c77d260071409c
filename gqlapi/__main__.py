"""`python -m gqlapi` is `gqlapi`."""

from gqlapi.cli import main

main()
