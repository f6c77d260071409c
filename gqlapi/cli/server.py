"""`gqlapi dev` and `gqlapi serve`."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gqlapi.cli.banner import banner_when_listening
from gqlapi.cli.base import Host, Port, Workers, cli, fail, load_settings, run
from gqlapi.cli.work import list_demo_logins, prepare_database
from gqlapi.http.graphiql.background import building_in_background
from gqlapi.logs import configure_logs
from gqlapi.serving.limits import ConnectionLimits, fit_open_files
from gqlapi.settings import Settings

if TYPE_CHECKING:
    from gqlapi.telemetry.exporter import WorkersExporter

PACKAGE = Path(__file__).resolve().parents[1]
# Bodies of the largest size that a worker receives at the same time; smaller ones share their room.
LARGEST_BODIES_AT_ONCE = 32


@cli.command()
def dev(
    *,
    host: Host = None,
    port: Port = None,
    reload: Annotated[bool, typer.Option(help="Restart when code changes.")] = True,
) -> None:
    """Create the database, migrate, seed it if empty, and serve with GraphiQL."""
    settings = load_settings(environment="dev", host=host, port=port)
    configure_logs(settings)
    _check_addresses(settings)
    demo_logins = run(prepare_database(settings))
    with building_in_background(), banner_when_listening(settings, demo_logins):
        _serve(settings, reload=reload, workers=1)


@cli.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve in production: nothing is migrated or seeded, and dev secrets are refused."""
    settings = load_settings(environment="production", host=host, port=port, workers=workers)
    configure_logs(settings)
    _check_addresses(settings)
    if logins := run(list_demo_logins(settings)):
        fail(f"The users {', '.join(logins)} have the demo password: delete them, or change it.")
    _serve(settings, reload=False, workers=settings.workers)


def _serve(settings: Settings, *, reload: bool, workers: int) -> None:
    from gqlapi.serving import server  # noqa: PLC0415 - uvicorn and its parser are for the commands that serve

    # Reloader and workers import the application in their own processes: the environment carries the settings.
    os.environ.update(_environment(settings, workers))
    config = server.ServerConfig(
        "gqlapi.app:create_app",
        _create_limits(settings),
        grace_seconds=settings.stop_grace_seconds if settings.is_production else 0.0,
        host=settings.host,
        port=settings.port,
        reload=reload,
        reload_dirs=[str(PACKAGE)] if reload else None,
        workers=None if reload else workers,
    )
    with _exporting_workers(settings, workers) as observer:
        server.serve(config, observer)


@contextmanager
def _exporting_workers(settings: Settings, workers: int) -> "Iterator[WorkersExporter | None]":
    """Export the metrics of several workers from here; a single one does so itself."""
    from gqlapi.telemetry.exporter import WorkersExporter  # noqa: PLC0415 - takes 70 ms

    if workers == 1 or (settings.metrics_port is None and not settings.metrics_path):
        yield None
        return
    exporter = WorkersExporter()
    try:
        if settings.metrics_port is not None:
            exporter.start(settings.metrics_host, settings.metrics_port)
        yield exporter
    finally:
        exporter.stop()


def _create_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        max_connections=fit_open_files(settings.max_connections, settings.pool_size),
        receive_timeout_seconds=settings.receive_timeout_seconds,
        send_timeout_seconds=settings.send_timeout_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        max_receiving_bytes=LARGEST_BODIES_AT_ONCE * settings.max_body_bytes,
    )


def _check_addresses(settings: Settings) -> None:
    """End the program when nothing can listen on an address, before anything else happens."""
    _check_address(settings.host, settings.port, "--port or GQLAPI_PORT")
    if settings.metrics_port is not None:
        _check_address(settings.metrics_host, settings.metrics_port, "GQLAPI_METRICS_PORT")


def _check_address(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        fail(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with {setting}.")


def _environment(settings: Settings, workers: int) -> dict[str, str]:
    # Each worker compares the connections of all of them with what the database admits.
    return {"GQLAPI_ENVIRONMENT": settings.environment, "GQLAPI_WORKERS": str(workers)}
