"""Checks of replicas."""

import asyncio

from gqlapi.database.causes import cause_of
from gqlapi.database.engine import EngineOptions
from gqlapi.database.inspection import PostgresFacts, inspect_postgresql
from gqlapi.database.url import mask_url, normalize_url
from gqlapi.doctor.finding import Finding, error, ok, plural, warning

SET_REPLICAS = "Correct GQLAPI_REPLICA_URLS."


async def check_replicas(urls: list[str], options: EngineOptions) -> Finding:
    """Connect to each replica, as the server does; the first that is not fit is the finding.

    One that cannot be reached is left out by the server, which reads from the others.
    """
    for url in urls:
        try:
            facts = await _inspect(url, options)
        except ValueError as wrong:
            return error("D110", f"GQLAPI_REPLICA_URLS: {wrong}.", SET_REPLICAS)
        except Exception as failure:  # noqa: BLE001 - any reason why it does not answer
            cause = cause_of(failure, url)
            return warning("D110", f"{mask_url(url)} is not used: {cause.reason}.", cause.fix)
        if not facts.is_in_recovery:
            return error("D110", f"{mask_url(url)} is no standby, and is never used.", SET_REPLICAS)
    return ok("D110", f"{plural(len(urls), 'replica')} can be read from.")


async def _inspect(url: str, options: EngineOptions) -> PostgresFacts:
    if normalize_url(url).startswith("sqlite"):
        raise ValueError("only PostgreSQL has replicas")
    async with asyncio.timeout(2 * options.connect_timeout_seconds):
        return await inspect_postgresql(url, options)
