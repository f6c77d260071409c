"""Looks for what keeps the server from working, or will: settings, database, machine. Changes nothing."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from gqlapi.doctor.configuration import check_proxies, examine_settings, read_settings
from gqlapi.doctor.database import examine_database, examine_pool, examine_readiness, examine_revision
from gqlapi.doctor.finding import CHECKS, Finding, Severity, error
from gqlapi.doctor.machine import examine_machine


async def examine(**overrides: Any) -> list[Finding]:
    """Run all checks, also under wrong settings; `overrides` go before the environment, None leaves a setting."""
    settings, findings = read_settings({name: value for name, value in overrides.items() if value is not None})
    if settings is None:
        return findings
    return [
        *examine_settings(settings, findings),
        *await _guard("D101", examine_database(settings)),
        *await _guard("D201", asyncio.to_thread(examine_machine, settings)),
    ]


async def _guard(code: str, checks: Awaitable[list[Finding]]) -> list[Finding]:
    """Return the findings of checks, or that these have failed: the others have their say all the same."""
    try:
        return await checks
    except Exception as failure:  # noqa: BLE001 - a bug of a check
        return [error(code, f"The checks failed: {failure!r}.", "Report it as a bug of gqlapi.")]


__all__ = [
    "CHECKS",
    "Finding",
    "Severity",
    "check_proxies",
    "examine",
    "examine_pool",
    "examine_readiness",
    "examine_revision",
]
