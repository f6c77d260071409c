"""The command line: `gqlapi --help`. Each module registers its commands when it is imported, in this order."""

from gqlapi.serving.memory import without_collector

with without_collector():
    from gqlapi.cli import server, database, texts, interchange, accounts, audit, documents, schema, diagnosis  # isort: skip # the order of the commands in --help
    from gqlapi.cli.base import cli

__all__ = [
    "accounts",
    "audit",
    "cli",
    "database",
    "diagnosis",
    "documents",
    "interchange",
    "main",
    "schema",
    "server",
    "texts",
]


def main() -> None:
    """Run the command line."""
    cli()
