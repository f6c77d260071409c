"""`gqlapi dev` and `gqlapi serve`."""

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from gqlapi.cli.banner import banner_when_listening
from gqlapi.cli.base import Host, Port, Workers, cli, fail, load_settings, run
from gqlapi.cli.work import list_demo_logins, prepare_database
from gqlapi.http.graphiql.background import building_in_background
from gqlapi.logs import configure_logs
from gqlapi.serving.limits import ConnectionLimits, fit_open_files
from gqlapi.settings import Settings

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
    _check_address(settings)
    demo_logins = run(prepare_database(settings))
    with building_in_background(), banner_when_listening(settings, demo_logins):
        _serve(settings, reload=reload, workers=1)


@cli.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve in production: nothing is migrated or seeded, and dev secrets are refused."""
    settings = load_settings(environment="production", host=host, port=port, workers=workers)
    configure_logs(settings)
    _check_address(settings)
    if logins := run(list_demo_logins(settings)):
        fail(f"The users {', '.join(logins)} have the demo password: delete them, or change it.")
    _serve(settings, reload=False, workers=settings.workers)


def _serve(settings: Settings, *, reload: bool, workers: int) -> None:
    from gqlapi.serving import server  # noqa: PLC0415 - uvicorn and its parser are for the commands that serve

    # Reloader and workers import the application in their own processes: the environment carries the settings.
    os.environ.update(_environment(settings, workers))
    server.serve(
        server.ServerConfig(
            "gqlapi.app:create_app",
            _create_limits(settings),
            grace_seconds=settings.stop_grace_seconds if settings.is_production else 0.0,
            host=settings.host,
            port=settings.port,
            reload=reload,
            reload_dirs=[str(PACKAGE)] if reload else None,
            workers=None if reload else workers,
        )
    )


def _create_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        max_connections=fit_open_files(settings.max_connections, settings.pool_size),
        receive_timeout_seconds=settings.receive_timeout_seconds,
        send_timeout_seconds=settings.send_timeout_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        max_receiving_bytes=LARGEST_BODIES_AT_ONCE * settings.max_body_bytes,
    )


def _check_address(settings: Settings) -> None:
    """End the program when nothing can listen on the address, before anything else happens."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        address = f"{settings.host}:{settings.port}"
        fail(f"Cannot listen on {address}: {error.strerror}. Choose another with --port or GQLAPI_PORT.")


def _environment(settings: Settings, workers: int) -> dict[str, str]:
    # Each worker compares the connections of all of them with what the database admits.
    return {"GQLAPI_ENVIRONMENT": settings.environment, "GQLAPI_WORKERS": str(workers)}
