"""Fixtures of the tests of accounts."""

import pytest
from argon2.profiles import CHEAPEST


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash for next to nothing: on a busy machine twenty real ones at once take longer than an operation may."""
    monkeypatch.setattr("gqlapi.accounts.passwords.RFC_9106_LOW_MEMORY", CHEAPEST)
