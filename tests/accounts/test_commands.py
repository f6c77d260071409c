"""The commands of an operator: the first admin, tokens, pruning; and the logins that are only for trying out."""

import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.accounts.demo import DEMO_PASSWORD, DEMO_USERS, create_demo_users, find_demo_logins
from gqlapi.accounts.tokens import API_TOKEN_PREFIX, hash_secret
from gqlapi.database.migrations import upgrade
from gqlapi.database.types import utc_now
from gqlapi.doctor import Severity
from gqlapi.doctor.database import check_demo_logins
from gqlapi.models import (
    ApiScope,
    ApiToken,
    AuditEvent,
    AuditKind,
    Base,
    ChangeKind,
    IdempotencyKey,
    PostChange,
    RefreshToken,
    Session,
    User,
    UserCredential,
    UserRole,
)
from gqlapi.pruning import Retention, prune
from gqlapi.repositories import pruning
from gqlapi.repositories.pruning import Prunable
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.processes import Folder
from tests.signing_in import sign_in_as

SECRET = "a secret of more than thirty-two characters"
PASSWORD = "correct horse"
VIEWER = "{ viewer { username role } }"


@pytest.fixture
async def empty_api(folder: Folder) -> AsyncIterator[Api]:
    """A client of a server over the database that the commands find in the folder."""
    url = f"sqlite:///{folder.path / 'gqlapi.db'}"
    await upgrade(url)
    async with serve(settings_for(url)) as api:
        yield api


def create_admin(folder: Folder, *options: str, text: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    return folder.run("user", "create-admin", "--username", "root", *options, standard_input=text)


async def sign_in(api: Api, login: str, password: str = PASSWORD) -> Any:
    return await api.payload("signIn", {"login": login, "password": password}, "accessToken user { id username role }")


class TestCreateAdmin:
    OPTIONS = ("--email", "root@example.com", "--password-stdin")

    async def test_makes_one_who_can_sign_in(self, folder: Folder, empty_api: Api) -> None:
        result = create_admin(folder, *self.OPTIONS)
        assert (result.returncode, result.stdout) == (0, ""), result.stderr
        assert PASSWORD not in result.stderr
        payload = await sign_in(empty_api, "root@example.com")
        assert payload["user"].items() >= {"username": "root", "role": "ADMIN"}.items()

    async def test_asks_for_what_is_left_out_and_hides_the_password(self, folder: Folder, empty_api: Api) -> None:
        prompts = [
            ("User name: ", "root"),
            ("E-mail address: ", "root@example.com"),
            ("Password: ", PASSWORD),
            ("Repeat for confirmation: ", PASSWORD + "!"),
            ("Password: ", PASSWORD),
            ("Repeat for confirmation: ", PASSWORD),
        ]
        status, screen = folder.converse("user", "create-admin", answers=prompts)
        assert status == 0, screen
        assert "root@example.com" in screen
        assert PASSWORD not in screen
        assert (await sign_in(empty_api, "root"))["user"].items() >= {"username": "root", "role": "ADMIN"}.items()

    async def test_tells_all_that_is_wrong(self, folder: Folder, empty_api: Api) -> None:
        result = create_admin(folder, "--email", "root", "--password-stdin", text="short")
        assert result.returncode == 1
        assert [line.split()[:2] for line in result.stderr.splitlines()] == [["error", "email"], ["error", "password"]]
        assert "Traceback" not in result.stderr

    async def test_says_that_name_or_address_are_taken(self, folder: Folder, empty_api: Api) -> None:
        await save(
            empty_api.database, [make_user(username="Root", email="a@example.com"), make_user(email="ROOT@example.com")]
        )
        result = create_admin(folder, *self.OPTIONS)
        assert result.returncode == 1
        assert sorted(result.stderr.splitlines()) == [
            "error email This e-mail address is taken.",
            "error username This user name is taken.",
        ]

    async def test_promotes_who_is_there(self, folder: Folder, empty_api: Api) -> None:
        user = make_user(username="Root", role=UserRole.READER)
        await save(empty_api.database, [user])
        assert create_admin(folder, "--promote").returncode == 0
        data = await (await sign_in_as(empty_api, user)).data("{ viewer { username role version } }")
        assert data["viewer"] == {"username": "Root", "role": "ADMIN", "version": 2}

    @pytest.mark.parametrize("has_password", [True, False])
    async def test_says_when_who_is_promoted_has_no_password(
        self,
        folder: Folder,
        empty_api: Api,
        has_password: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        user = make_user(username="root")
        await save(empty_api.database, [user])
        if has_password:
            await add(empty_api, UserCredential(user_id=user.id, password_hash="x"))
        result = create_admin(folder, "--promote")
        assert result.returncode == 0
        needs = "root is an admin, and needs a password: gqlapi user set-password root\n"
        assert result.stderr == ("root is an admin.\n" if has_password else needs)

    async def test_promotes_nobody_who_is_not_there(self, folder: Folder, empty_api: Api) -> None:
        await save(empty_api.database, [make_user(username="root", deleted_at=utc_now())])
        result = create_admin(folder, "--promote")
        assert (result.returncode, result.stderr) == (1, "error There is no user root.\n")

    def test_without_a_database_says_so(self, folder: Folder) -> None:
        result = create_admin(folder, *self.OPTIONS)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr


class TestSetPassword:
    async def test_gives_one_to_who_has_none(self, folder: Folder, empty_api: Api) -> None:
        await save(empty_api.database, [make_user(username="Ada")])
        result = folder.run("user", "set-password", "ada", "--password-stdin", standard_input=f"{PASSWORD}\n")
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr == "ada can sign in with the new password.\n"
        assert (await sign_in(empty_api, "ada"))["user"]["username"] == "Ada"

    async def test_replaces_one_and_ends_the_sessions_of_its_user(self, folder: Folder, empty_api: Api) -> None:
        ada, bela = make_user(username="ada"), make_user(username="bela")
        await save(empty_api.database, [ada, bela])
        await add(empty_api, UserCredential(user_id=ada.id, password_hash="x"))
        client, other = await sign_in_as(empty_api, ada), await sign_in_as(empty_api, bela)
        result = folder.run("user", "set-password", "ada", standard_input=f"{PASSWORD}\n" * 2)
        assert (result.returncode, result.stdout) == (0, "Password: \nRepeat for confirmation: \n")
        assert PASSWORD not in result.stderr
        assert (await sign_in(empty_api, "ada"))["errors"] == []
        assert (await client.post(VIEWER)).status_code == 401
        assert (await other.data(VIEWER))["viewer"]["username"] == "bela"

    @pytest.mark.parametrize(
        ("username", "password", "message"),
        [
            ("nobody", PASSWORD, "error There is no user nobody.\n"),
            ("root", "short", "error password A password has at least 8 characters.\n"),
        ],
    )
    async def test_refuses_what_is_wrong(
        self, folder: Folder, empty_api: Api, username: str, password: str, message: str
    ) -> None:
        await save(empty_api.database, [make_user(username="root")])
        result = folder.run("user", "set-password", username, "--password-stdin", standard_input=password)
        assert (result.returncode, result.stderr) == (1, message)
        assert (await sign_in(empty_api, "root"))["errors"]


class TestCreateToken:
    async def test_prints_the_secret_alone(self, folder: Folder, empty_api: Api) -> None:
        await save(empty_api.database, [make_user(username="ada")])
        options = ("--name", "ci", "--scope", "READ", "--scope", "write_posts", "--expires-in-days", "7")
        result = folder.run("token", "create", "Ada", *options)
        assert (result.returncode, result.stderr) == (0, "")
        secret = result.stdout.strip()
        assert secret.startswith(API_TOKEN_PREFIX)
        data = await empty_api.bearing(secret).data("{ viewer { apiTokens { name scopes expiresAt } } }")
        [token] = data["viewer"]["apiTokens"]
        assert token.items() >= {"name": "ci", "scopes": ["READ", "WRITE_POSTS"]}.items()
        assert token["expiresAt"] > utc_now().isoformat()

    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (("nobody", "--name", "ci", "--scope", "read"), 1, "error There is no user nobody."),
            (("ada", "--name", " ", "--scope", "read"), 1, "error name This cannot be empty."),
            (("ada", "--name", "ci", "--scope", "everything"), 2, "'everything' is not one of"),
            (("ada", "--name", "ci"), 2, "Missing option '--scope'"),
            (
                ("ada", "--name", "ci", "--scope", "read", "--expires-in-days", "36501"),
                2,
                "value for '--expires-in-days'",
            ),
        ],
    )
    async def test_refuses_what_makes_no_token(
        self, folder: Folder, empty_api: Api, arguments: tuple[str, ...], status: int, message: str
    ) -> None:
        await save(empty_api.database, [make_user(username="ada")])
        result = folder.run("token", "create", *arguments)
        assert (result.returncode, result.stdout) == (status, "")
        assert message in result.stderr


class TestPrune:
    async def test_deletes_what_is_over_in_batches(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pruning, "BATCH_SIZE", 2)
        ada = make_user(username="ada")
        await save(api.database, [ada])
        now = utc_now()
        for days in (-40, -39, -38, -37, -36, 1):
            await self.add_rows(api, ada, now + timedelta(days=days))
        pruned = await prune(api.database, KEEP)
        # Refresh tokens go with their sessions, and the use of fields is kept for longer.
        none = {Prunable.REFRESH_TOKENS, Prunable.FIELD_USAGE, Prunable.DELETED_POSTS}
        assert pruned == {kind: 0 if kind in none else 5 for kind in Prunable}
        for model in (Session, RefreshToken, ApiToken, IdempotencyKey, PostChange, AuditEvent):
            assert await count(api, model) == 1
        assert set((await prune(api.database, KEEP)).values()) == {0}

    async def test_deletes_refresh_tokens_of_a_session_that_goes_on(self, api: Api) -> None:
        ada = make_user(username="ada")
        await save(api.database, [ada])
        session = Session(user_id=ada.id, expires_at=utc_now() + timedelta(days=1))
        await add(api, session)
        await add(api, RefreshToken(hash="x", session_id=session.id, expires_at=utc_now() - timedelta(days=1)))
        pruned = await prune(api.database, KEEP)
        assert pruned[Prunable.REFRESH_TOKENS] == 1
        assert await count(api, Session) == 1

    async def test_command_reports_counts(self, folder: Folder, empty_api: Api) -> None:
        ada = make_user(username="ada")
        await save(empty_api.database, [ada])
        await add(empty_api, Session(user_id=ada.id, expires_at=utc_now() - timedelta(days=1)))
        result = folder.run("prune")
        assert result.returncode == 0
        assert result.stderr.splitlines() == [f"{kind}: {int(kind is Prunable.SESSIONS)}" for kind in Prunable]

    async def add_rows(self, api: Api, user: User, at: Any) -> None:
        name = str(at)
        session = Session(user_id=user.id, expires_at=at)
        await add(api, session)
        await add(
            api,
            RefreshToken(hash=hash_secret(name), session_id=session.id, expires_at=at),
            ApiToken(user_id=user.id, hash=hash_secret(name), name=name, scopes=frozenset(ApiScope), expires_at=at),
            IdempotencyKey(user_id=user.id, key=name, input_hash="x", outcome={}, created_at=at),
            PostChange(post_id=user.id, author_id=user.id, kind=ChangeKind.UPDATED, version=1, created_at=at),
            AuditEvent(kind=AuditKind.SIGNED_IN, detail={}, created_at=at),
        )


KEEP = Retention(timedelta(days=30), timedelta(days=30))


async def add(api: Api, *rows: Base) -> None:
    async with api.database.write() as session:
        session.add_all(rows)


async def count(api: Api, model: type[Base]) -> int:
    async with api.database.write() as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(model))).scalar_one()


class TestDemoLogins:
    async def test_are_one_for_each_role(self, api: Api) -> None:
        await create_demo_users(api.database)
        for name, role in DEMO_USERS.items():
            payload = await sign_in(api, name, DEMO_PASSWORD)
            assert payload["user"].items() >= {"username": name, "role": role.name}.items()
        assert await find_demo_logins(api.database) == [*DEMO_USERS] == ["admin", "editor", "author", "reader"]

    async def test_are_those_who_still_have_the_password(self, api: Api) -> None:
        await create_demo_users(api.database)
        signed_in = await sign_in(api, "editor", DEMO_PASSWORD)
        given = {"currentPassword": DEMO_PASSWORD, "newPassword": PASSWORD}
        await api.bearing(signed_in["accessToken"]).payload("changePassword", given)
        signed_in = await api.payload(
            "signIn", {"login": "admin", "password": DEMO_PASSWORD}, "accessToken user { id }"
        )
        await save(api.database, [make_user(role=UserRole.ADMIN)])
        given = {"id": signed_in["user"]["id"], "currentPassword": DEMO_PASSWORD}
        await api.bearing(signed_in["accessToken"]).payload("deleteUser", given)
        assert await find_demo_logins(api.database) == ["author", "reader"]

    @pytest.mark.parametrize(("environment", "severity"), [("dev", Severity.OK), ("production", Severity.ERROR)])
    async def test_are_what_doctor_reports_of_production(
        self, api: Api, database_url: str, environment: str, severity: Severity
    ) -> None:
        settings = settings_for(database_url, environment=environment, secret_key=SECRET)
        assert (await check_demo_logins(settings)).severity is Severity.OK
        await create_demo_users(api.database)
        finding = await check_demo_logins(settings)
        assert (finding.code, finding.severity) == ("D108", severity)
        assert "admin, editor, author, reader" in finding.found

    def test_are_shown_in_dev_and_refused_in_production(self, folder: Folder) -> None:
        server = folder.start("dev", "--no-reload")
        banner = f"sign in as admin, editor, author, reader with password {DEMO_PASSWORD}"
        server.wait_until_logged(banner, times=1)
        server.stop()
        result = folder.run("serve", secret_key=SECRET)
        assert result.returncode == 1
        assert result.stderr == (
            "error The users admin, editor, author, reader have the demo password: delete them, or change it.\n"
        )
