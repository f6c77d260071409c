"""Health, for load balancers and orchestrators."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gqlapi.database.unit import Database

HTTP_SERVICE_UNAVAILABLE = 503


async def healthz(_request: Request) -> Response:
    """Say that the process answers; restart it when it does not."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Says whether to send requests here: the database answers."""

    def __init__(self, database: Database) -> None:
        """Watch a database."""
        self._database = database

    async def readyz(self, _request: Request) -> Response:
        """Answer 200 or 503."""
        try:
            await self._database.ping()
        except Exception:  # noqa: BLE001 - whatever keeps the database from answering
            return JSONResponse({"status": "unavailable", "check": "database"}, HTTP_SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ok"})
