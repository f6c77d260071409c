"""A server of a small application, for tests of connections: `python application.py --port 8000 --limits '{}'`."""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gqlapi.serving.limits import ConnectionLimits
from gqlapi.serving.server import ServerConfig, serve
from gqlapi.serving.stopping import stopping_of

# Here and in each worker, which imports this module: tests find the workers in the log.
logging.basicConfig(level=logging.INFO)


async def answer_bytes(request: Request) -> Response:
    """Answer with as many bytes as the path says."""
    return PlainTextResponse(b"x" * int(request.path_params["size"]))


async def answer_late(request: Request) -> Response:
    """Answer after as many seconds as the path says."""
    await asyncio.sleep(float(request.path_params["seconds"]))
    return PlainTextResponse(b"late")


async def describe(request: Request) -> Response:
    """Answer with what arrived of the request."""
    try:
        body = await request.body()
    except ClientDisconnect:
        body = b""
    return JSONResponse({"url": len(str(request.url.query)), "headers": dict(request.headers), "body": len(body)})


async def say_ready(request: Request) -> Response:
    """Answer at once, and with 503 when the server stops."""
    is_stopping = stopping_of(request.scope).is_set()
    return PlainTextResponse(b"stopping" if is_stopping else b"ready", 503 if is_stopping else 200)


async def ignore(_request: Request) -> Response:
    """Answer without reading the body."""
    return PlainTextResponse(b"ignored")


def create_app() -> Starlette:
    """Create the application."""
    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/", describe, methods=methods),
            Route("/readyz", say_ready),
            Route("/ignore", ignore, methods=methods),
            Route("/bytes/{size:int}", answer_bytes),
            Route("/late/{seconds:float}", answer_late),
        ]
    )


def create_stuck_app() -> Starlette:
    """Create an application that never ends."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.sleep(3_600)

    return Starlette(routes=[Route("/readyz", say_ready)], lifespan=lifespan)


def create_broken_app() -> Starlette:
    """Fail to create an application."""
    raise RuntimeError("broken on purpose")


def create_dying_app() -> Starlette:
    """End the process as a failing library does, with no exception."""
    os._exit(1)


def main() -> None:
    """Serve until a signal arrives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--factory", default="create_app")
    parser.add_argument("--limits", type=json.loads, default={})
    parser.add_argument("--grace", type=float, default=0.0)
    options: Any = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))  # workers import this module by its name
    limits = ConnectionLimits(**options.limits)
    factory = f"application:{options.factory}"
    address = {"host": "127.0.0.1", "port": options.port}
    serve(ServerConfig(factory, limits, grace_seconds=options.grace, workers=options.workers, **address))


if __name__ == "__main__":
    main()
