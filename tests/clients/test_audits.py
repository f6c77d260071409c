"""The audits of npm `graphql-http`, written for the drafts before the edition."""

import json
import re
from typing import Any

import pytest

from tests.api import serve, settings_for
from tests.architecture import ROOT
from tests.clients.installation import Workspace

AUDITS = 61
# What the audits that fail by default are, and the status that they get; `docs/http.md` has the sentence for each.
# 74FF asks 400 for a document that is not valid, and its document does not even parse: it gets 400.
NOT_VALID = {"86EE": ("warn", 422)}
WITHOUT_DATA = {"572B": ("warn", 400), "FDE2": ("warn", 400), "7B9B": ("warn", 422)}
PARAMETERS = ("LKJ", "6C0", "476", "58B")
NOT_WELL_FORMED = dict.fromkeys(
    ["423L", "3E3A", *(f"{name}{number}" for name in PARAMETERS for number in range(4))], ("notice", 422)
)
DIFFERENT = NOT_VALID | WITHOUT_DATA | NOT_WELL_FORMED
# Rows of the table in `docs/http.md`: audits, request, Accept, wanted and answered status, sentence.
ROW = re.compile(r"^\| ((?:`\w{4}`(?:, | to )?)+) \| .* \| (\d{3}) \| (\d{3}) \| .* \|$", re.MULTILINE)


@pytest.fixture
async def results(workspace: Workspace, sqlite_url: str) -> list[list[dict[str, Any]]]:
    """What the audits find by default, and with the statuses of the drafts."""
    edition, drafts = settings_for(sqlite_url), settings_for(sqlite_url, http_status="400")
    async with serve(edition) as one, serve(drafts) as other:
        urls = [str(api.http.base_url.join("/graphql")) for api in (one, other)]
        found: list[list[dict[str, Any]]] = json.loads(await workspace.run("audit.mjs", *urls))
    return found


class TestAudits:
    async def test_pass_but_where_the_edition_contradicts_them(self, results: list[list[dict[str, Any]]]) -> None:
        by_edition, by_drafts = results
        failed = {audit["id"]: (audit["status"], audit["answer"]) for audit in by_edition if audit["status"] != "ok"}
        assert failed == DIFFERENT
        assert [audit for audit in by_drafts if audit["status"] != "ok"] == []
        assert (len(by_edition), len(by_drafts)) == (AUDITS, AUDITS)

    def test_that_the_edition_contradicts_are_documented(self) -> None:
        documented = {
            id_: int(answered)
            for names, _, answered in ROW.findall((ROOT / "docs" / "http.md").read_text())
            for id_ in _ids(names)
        }
        assert documented == {id_: answered for id_, (_, answered) in DIFFERENT.items()}


def _ids(names: str) -> list[str]:
    """Return the ids of a row; `LKJ0` to `LKJ3` are four."""
    ids = []
    for part in names.split(", "):
        first, _, last = (name.strip("`") for name in part.partition(" to "))
        ids += [f"{first[:-1]}{n}" for n in range(int(first[-1]), int(last[-1]) + 1)] if last else [first]
    return ids
