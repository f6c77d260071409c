"""The audits of npm `graphql-http`, written for the drafts before the edition."""

import json

from tests.api import serve, settings_for
from tests.clients.installation import Workspace

AUDITS = 61
# They ask 400 where the edition says 422. 74FF does too, but its document does not even parse, and gets 400.
NOT_422 = {"86EE"}
# A client that accepts only `application/json` gets the same statuses as any other, for which they ask 200.
NOT_200 = {"572B", "FDE2", "7B9B"}
# Requests that are not well-formed get 422; that these "MAY" get 400 leaves it open.
OPTIONAL = {
    *("423L", "3E3A"),
    *(f"{prefix}{number}" for prefix in ("LKJ", "6C0", "476", "58B") for number in range(4)),
}


class TestAudits:
    async def test_pass_but_where_the_edition_contradicts_them(self, workspace: Workspace, sqlite_url: str) -> None:
        edition, old = settings_for(sqlite_url), settings_for(sqlite_url, http_status="400")
        async with serve(edition) as one, serve(old) as other:
            urls = [str(api.http.base_url.join("/graphql")) for api in (one, other)]
            by_edition, by_drafts = json.loads(await workspace.run("audit.mjs", *urls))
        failed = {audit["id"]: audit["status"] for audit in by_edition if audit["status"] != "ok"}
        assert failed == dict.fromkeys(NOT_422 | NOT_200, "warn") | dict.fromkeys(OPTIONAL, "notice")
        assert [audit for audit in by_drafts if audit["status"] != "ok"] == []
        assert (len(by_edition), len(by_drafts)) == (AUDITS, AUDITS)
