"""`gqlapi doctor` and `gqlapi explain`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gqlapi.cli.base import WRONG_USAGE, Host, Port, Workers, cli, fail, load_settings, run
from gqlapi.doctor import Finding, Severity, examine
from gqlapi.logs import configure_logs

QUERY_SUFFIXES = (".graphql", ".gql")
COLORS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}


@cli.command()
def doctor(
    *,
    production: Annotated[bool, typer.Option("--production", help="Check as for `gqlapi serve`.")] = False,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check settings, database and machine; changes nothing, and fails when it finds an error."""
    environment = "production" if production else None
    findings = asyncio.run(examine(environment=environment, host=host, port=port, workers=workers))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if as_json:
        typer.echo(json.dumps({"errors": errors, "findings": [vars(f) for f in findings]}, indent=2))
    elif sys.stdout.isatty():
        Console().print(_table(findings))
    else:
        typer.echo("\n".join(str(finding) for finding in findings))
    raise typer.Exit(1 if errors else 0)


@cli.command("explain")
def explain_command(
    query: Annotated[
        str | None, typer.Argument(help="A query, the path of a .graphql file, or - for standard input.")
    ] = None,
    *,
    variables: Annotated[str, typer.Option(help="The variables, as a JSON object.")] = "{}",
    operation: Annotated[str | None, typer.Option(help="Which operation, where there are several.")] = None,
    username: Annotated[str | None, typer.Option("--as", help="The user to run it as; default: anonymous.")] = None,
    document: Annotated[str | None, typer.Option(help="The id of a trusted document, instead of a query.")] = None,
) -> None:
    """Run a query, and show its cost and each SQL statement with its plan, which may show values of variables."""
    # A second of imports, for which the other commands should not wait.
    from gqlapi.explain import NotFound, explain  # noqa: PLC0415

    if (query is None) is (document is None):
        fail("Give a query, or the --document of one.", status=WRONG_USAGE)
    settings = load_settings()
    configure_logs(settings)
    text, values = _read_query(query or ""), _read_variables(variables)
    try:
        explanation = run(explain(settings, text, values, operation, username=username, document_id=document))
    except NotFound as error:
        fail(str(error))
    typer.echo("\n".join(explanation.lines()))
    if explanation.errors:
        fail(*explanation.errors)


def _table(findings: list[Finding]) -> Table:
    table = Table("Code", "Severity", "Check", "Found and fix", show_lines=True)
    for finding in findings:
        text = "\n".join(part for part in (finding.found, finding.fix and f"Fix: {finding.fix}") if part)
        table.add_row(finding.code, f"[{COLORS[finding.severity]}]{finding.severity}[/]", finding.check, _plain(text))
    return table


def _plain(text: str) -> str:
    """Keep rich from reading markup in what was found."""
    return text.replace("[", r"\[")


def _read_query(query: str) -> str:
    if query == "-":
        return sys.stdin.read()
    if not query.endswith(QUERY_SUFFIXES):  # no text of a query ends so
        return query
    try:
        return Path(query).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{query} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.", status=WRONG_USAGE)


def _read_variables(text: str) -> dict[str, Any]:
    try:
        variables = json.loads(text)
    except ValueError as error:
        fail(f"--variables is not JSON: {error}", status=WRONG_USAGE)
    if not isinstance(variables, dict):
        fail("--variables must be a JSON object.", status=WRONG_USAGE)
    return variables
