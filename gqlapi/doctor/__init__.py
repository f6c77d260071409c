"""Looks for what keeps the server from working, or will: settings, database, machine. Changes nothing."""

import asyncio
from typing import Any

from gqlapi.doctor.configuration import check_proxies, examine_settings, read_settings
from gqlapi.doctor.database import examine_database, examine_pool
from gqlapi.doctor.finding import CHECKS, Finding, Severity
from gqlapi.doctor.machine import examine_machine


async def examine(**overrides: Any) -> list[Finding]:
    """Run all checks, also under wrong settings; `overrides` go before the environment, None leaves a setting."""
    settings, findings = read_settings({name: value for name, value in overrides.items() if value is not None})
    if settings is None:
        return findings
    return [
        *examine_settings(settings, findings),
        *await examine_database(settings),
        *await asyncio.to_thread(examine_machine, settings),
    ]


__all__ = ["CHECKS", "Finding", "Severity", "check_proxies", "examine", "examine_pool"]
