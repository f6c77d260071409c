"""The audit trail: who did what to which account, and from where."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gqlapi.database.migrations import upgrade
from gqlapi.models import ApiScope, AuditEvent, AuditKind, RefreshToken, User, UserRole
from tests.accounts.person import PASSWORD, refresh, sign_in, sign_up
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.processes import Folder
from tests.signing_in import give_password, sign_in_as, with_api_token

pytestmark = pytest.mark.usefixtures("cheap_hashes")


async def events_of(api: Api) -> list[AuditEvent]:
    async with api.database.write() as session:
        return [*(await session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)))]


async def make_admin(api: Api) -> tuple[User, User]:
    """Create an admin with a password, and somebody else."""
    root, ada = make_user(username="root", role=UserRole.ADMIN), make_user(username="ada")
    await save(api.database, [root, ada])
    await give_password(api, root, ada)
    return root, ada


class TestEvents:
    async def test_are_those_of_a_session(self, api: Api) -> None:
        signed_up = await sign_up(api)
        await sign_in(api, password="wrong password")
        await sign_in(api, login="nobody")
        signed_in = await sign_in(api)
        await api.bearing(signed_in["accessToken"]).payload("signOut", {"everywhere": True})
        assert signed_up["errors"] == signed_in["errors"] == []
        events = await events_of(api)
        [ada_id] = {event.subject_id for event in events} - {None}
        by_ada, failed = (ada_id, ada_id), (None, ada_id)
        assert [(event.kind, (event.actor_id, event.subject_id)) for event in events] == [
            (AuditKind.SIGNED_UP, by_ada),
            (AuditKind.SIGN_IN_FAILED, failed),
            (AuditKind.SIGN_IN_FAILED, (None, None)),
            (AuditKind.SIGNED_IN, by_ada),
            (AuditKind.SIGNED_OUT, by_ada),
        ]
        assert {event.address for event in events} == {"127.0.0.1"}
        assert events[-1].detail == {"everywhere": True}

    async def test_are_those_of_a_stolen_session(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        for stolen in [await refresh(api, token) for _ in range(2)]:
            await refresh(api, stolen["refreshToken"])
        first, last = await events_of(api)
        assert (last.kind, last.actor_id, last.subject_id) == (AuditKind.SESSION_STOLEN, None, first.subject_id)
        assert last.detail["session"] == first.detail["session"]

    async def test_are_those_of_roles_tokens_passwords_and_deletions(self, api: Api) -> None:
        root, ada = await make_admin(api)
        client = await sign_in_as(api, root)
        program = await with_api_token(api, root, ApiScope.ADMIN)
        for role in ("EDITOR", "EDITOR", "READER"):
            await client.payload("setUserRole", {"id": ada.global_id, "role": role})
        await client.payload("createApiToken", {"name": "ci", "scopes": ["READ", "WRITE_TAGS"]})
        token = (await client.data("{ viewer { apiTokens { id } } }"))["viewer"]["apiTokens"][0]["id"]
        await client.payload("revokeApiToken", {"id": token})
        for password in ("wrong password", PASSWORD):
            change = {"currentPassword": password, "newPassword": "battery staple", "revokeApiTokens": False}
            await client.payload("changePassword", change)
        await program.payload("deleteUser", {"id": ada.global_id})
        found = [(event.kind.value, event.subject_id, dict(event.detail)) for event in await events_of(api)]
        details = [detail for _, _, detail in found]
        assert [(kind, subject == root.id) for kind, subject, _ in found] == [
            ("role_changed", False),
            ("role_changed", False),
            ("token_created", True),
            ("token_revoked", True),
            ("password_failed", True),
            ("password_changed", True),
            ("signed_in", True),
            ("user_deleted", False),
        ]
        assert details[:2] == [{"before": "author", "after": "editor"}, {"before": "editor", "after": "reader"}]
        assert details[2]["token"] == details[3]["token"]
        assert details[2]["scopes"] == ["read", "write_tags"]
        assert details[5] == {"revoked_tokens": 0}
        assert details[7].keys() == {"role", "by_token"}
        assert {event.actor_id for event in await events_of(api)} == {root.id}

    async def test_of_what_is_refused_are_none(self, api: Api) -> None:
        root, ada = await make_admin(api)
        client, reader = await sign_in_as(api, root), await sign_in_as(api, ada)
        await client.payload("setUserRole", {"id": root.global_id, "role": "READER"})
        await reader.payload("setUserRole", {"id": ada.global_id, "role": "ADMIN"})
        await reader.payload("deleteUser", {"id": root.global_id})
        await sign_up(api, username="root")
        await refresh(api, "x")
        assert await events_of(api) == []

    async def test_hold_no_secret_and_nothing_that_was_typed(self, api: Api) -> None:
        await sign_up(api)
        await sign_in(api, login="a password in the wrong field")
        await sign_in(api, password="a wrong password")
        texts = [
            str(value)
            for event in await events_of(api)
            for value in (*event.detail.values(), event.address, event.kind)
        ]
        assert not any(part in text for text in texts for part in ("password in", "wrong password", "ada", PASSWORD))

    async def test_are_from_the_address_that_a_trusted_proxy_saw(self, database_url: str) -> None:
        async with serve(settings_for(database_url, trusted_proxies=["127.0.0.1"])) as api:
            for address in ("203.0.113.7", "x" * 1_000):
                await sign_in(api.with_headers(**{"X-Forwarded-For": address}), login="nobody")
            assert [event.address for event in await events_of(api)] == ["203.0.113.7", "x" * 64]

    async def test_show_nothing_that_a_terminal_obeys(self, sqlite_url: str) -> None:
        query = 'mutation { signIn(input: {login: "nobody", password: "wrong password"}) { errors { code } } }'
        async with serve(settings_for(sqlite_url, trusted_proxies=["127.0.0.1"])) as api:
            await api.http.post("/graphql", json={"query": query}, headers={b"X-Forwarded-For": b"\x9b31mred"})
            assert [event.address for event in await events_of(api)] == [r"\x9b31mred"]


class TestLog:
    async def test_has_a_line_for_each_event_once_it_is_committed(self, api: Api) -> None:
        with capture_logs() as logs:
            await sign_up(api)
            await sign_in(api, password="wrong password")
        lines = [line for line in logs if line["event"] == "audit"]
        events = await events_of(api)
        assert [(line["kind"], line["subject"], line["address"]) for line in lines] == [
            (event.kind.value, str(event.subject_id), "127.0.0.1") for event in events
        ]
        assert len(lines) == 2

    async def test_has_no_line_for_what_was_rolled_back(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(**_: Any) -> None:
            raise RuntimeError("after the event")

        await sign_up(api)
        monkeypatch.setattr(RefreshToken, "__init__", fail)
        with capture_logs() as logs:
            await api.execute(
                f'mutation {{ signIn(input: {{ login: "ada", password: "{PASSWORD}" }}) {{ accessToken }} }}'
            )
        assert [line for line in logs if line["event"] == "audit"] == []
        assert [event.kind for event in await events_of(api)] == [AuditKind.SIGNED_UP]


class TestCommand:
    @pytest.fixture
    async def url(self, folder: Folder) -> str:
        url = f"sqlite:///{folder.path / 'gqlapi.db'}"
        await upgrade(url)
        async with serve(settings_for(url)) as api:
            root, ada = await make_admin(api)
            await (await sign_in_as(api, root)).payload("setUserRole", {"id": ada.global_id, "role": "EDITOR"})
            await sign_in(api, login="nobody")
        assert folder.run("token", "create", "ada", "--name", "ci", "--scope", "read").returncode == 0
        return url

    async def test_prints_a_line_for_each_event(self, folder: Folder, url: str) -> None:
        lines = folder.run("audit").stdout.splitlines()
        assert [line.split(maxsplit=1)[1].split(" token=")[0] for line in lines] == [
            "role_changed      ada by root from 127.0.0.1 before=author after=editor",
            "sign_in_failed    unknown user from 127.0.0.1",
            "token_created     ada from the command line",
        ]
        assert folder.run("audit", "--limit", "1").stdout.splitlines() == lines[-1:]

    async def test_filters_and_prints_json(self, folder: Folder, url: str) -> None:
        found = [
            [json.loads(line) for line in folder.run("audit", "--json", *options).stdout.splitlines()]
            for options in (("--user", "ROOT"), ("--kind", "sign_in_failed", "--days", "1"), ("--user", "nobody"))
        ]
        assert [[(event["kind"], event["actor"], event["subject"]) for event in events] for events in found] == [
            [("role_changed", "root", "ada")],
            [("sign_in_failed", None, None)],
            [],
        ]
