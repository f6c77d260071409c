"""`gqlapi documents`."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.cli.base import WRONG_USAGE, cli, console, fail, load_settings, run
from gqlapi.database.unit import Database, create_database
from gqlapi.doctor.finding import plural
from gqlapi.documents.administration import NotChanged, Outcome, add_documents, remove_documents
from gqlapi.documents.ids import normalize_id
from gqlapi.documents.manifests import UnreadableManifest, read_manifest, shown
from gqlapi.repositories.documents import DocumentRepository, StoredDocument
from gqlapi.settings import Settings

T = TypeVar("T")
# Texts by their ids, with a limit of the cost.
Documents = list[tuple[dict[str, str], int | None]]

documents_cli = typer.Typer(help="Trusted documents.", no_args_is_help=True)
cli.add_typer(documents_cli, name="documents")

Files = Annotated[list[Path], typer.Argument(help="Manifests of graphql-codegen, Relay or Apollo; or .graphql files.")]


@documents_cli.callback()
def _documents() -> None:
    """Manage the documents that clients may run by their ids alone."""


@documents_cli.command("add")
def add_command(
    files: Files,
    *,
    max_cost: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Their own limit of the cost, instead of the server's.")
    ] = None,
) -> None:
    """Add documents, all or none: each is checked against the schema and the limits first. Can be run again."""
    settings = load_settings()
    documents = _read(files)
    if problems := _find_problems(settings, [(documents, max_cost)]):
        fail(*problems, "Nothing was added.")
    outcomes = _transact(settings, lambda session: add_documents(session, documents, max_cost))
    for document_id, outcome in outcomes.items():
        typer.echo(f"{outcome:<9}  {document_id}")
    counts = ", ".join(f"{[*outcomes.values()].count(outcome)} {outcome}" for outcome in Outcome)
    console.print(f"Documents: {counts}.", highlight=False)


@documents_cli.command("list")
def list_command(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each document.")] = False
) -> None:
    """Print the documents, oldest first: id, time, limit of the cost if it has one, and names of its operations."""
    for document in run(_list(load_settings())):
        typer.echo(_to_json(document) if as_json else _to_line(document))


@documents_cli.command("check")
def check_command(
    files: Annotated[list[Path] | None, typer.Argument(help="Check these files instead of the database.")] = None,
) -> None:
    """Check documents against the schema and the limits of this version; fails when one could not run."""
    settings = load_settings()
    if files:
        documents: Documents = [(_read(files), None)]
    else:
        documents = [({one.document_id: one.text}, one.max_cost) for one in run(_list(settings))]
    problems = _find_problems(settings, documents)
    if problems:
        fail(*problems)
    count = sum(len(texts) for texts, _ in documents)
    console.print(f"{plural(count, 'document')} can run.", highlight=False)


@documents_cli.command("remove")
def remove_command(ids: Annotated[list[str], typer.Argument(help="Ids of documents.")]) -> None:
    """Remove documents, all or none; servers refuse them within 30 seconds."""
    document_ids = [normalize_id(document_id) for document_id in ids]
    _transact(load_settings(), lambda session: remove_documents(session, document_ids))
    console.print(f"Removed {plural(len(set(document_ids)), 'document')}.", highlight=False)


def _read(files: list[Path]) -> dict[str, str]:
    documents: dict[str, str] = {}
    for path in files:
        try:
            found = read_manifest(path)
        except UnreadableManifest as error:
            fail(f"{path}: {error}.", status=WRONG_USAGE)
        for document_id, text in found.items():
            if documents.setdefault(document_id, text) != text:
                fail(f"{path}: {shown(document_id)} has another text in another file.", status=WRONG_USAGE)
    return documents


def _find_problems(settings: Settings, documents: Documents) -> list[str]:
    """Return a line for each document that cannot be trusted; each limit of the cost is for the documents beside it."""
    # A second of imports, for which the other commands should not wait.
    from gqlapi.app import create_limits  # noqa: PLC0415
    from gqlapi.documents.checking import find_problems  # noqa: PLC0415
    from gqlapi.schema import Schema  # noqa: PLC0415

    check = Schema(create_limits(settings)).operations.static_errors
    return [line for texts, max_cost in documents for line in find_problems(texts, max_cost, check)]


def _transact(settings: Settings, body: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def work(database: Database) -> T:
        return await database.transact(body)

    try:
        return run(_with_database(settings, work))
    except NotChanged as error:
        fail(*error.problems)


async def _list(settings: Settings) -> list[StoredDocument]:
    async def work(database: Database) -> list[StoredDocument]:
        unit = database.read()
        try:
            return await DocumentRepository(unit).list_all()
        finally:
            await unit.close()

    return await _with_database(settings, work)


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    database = create_database(settings)
    try:
        return await work(database)
    finally:
        await database.dispose()


def _names(text: str) -> list[str]:
    """Return the names of the operations of a document; one without a name has none."""
    from graphql import OperationDefinitionNode, parse  # noqa: PLC0415 - a part of that second

    operations = [node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode)]
    return [operation.name.value for operation in operations if operation.name]


def _to_line(document: StoredDocument) -> str:
    at = document.created_at.isoformat(timespec="seconds")
    max_cost = f"  max cost {document.max_cost}" if document.max_cost else ""
    return f"{document.document_id}  {at}{max_cost}  {' '.join(_names(document.text))}".rstrip()


def _to_json(document: StoredDocument) -> str:
    return json.dumps(
        {
            "id": document.document_id,
            "operations": _names(document.text),
            "maxCost": document.max_cost,
            "addedAt": document.created_at.isoformat(),
            "text": document.text,
        },
        ensure_ascii=False,
    )
