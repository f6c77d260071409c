"""The command line: `gqlapi --help`. Each module registers its commands when it is imported, in this order."""

from gqlapi.cli import server, database, interchange, accounts, schema, diagnosis  # isort: skip # the order of the commands in --help
from gqlapi.cli.base import cli

__all__ = ["accounts", "cli", "database", "diagnosis", "interchange", "main", "schema", "server"]


def main() -> None:
    """Run the command line."""
    cli()
