"""Logins for trying the server out: made by `gqlapi dev`, refused by `gqlapi serve`."""

from datetime import UTC, datetime

from gqlapi.accounts.passwords import Passwords
from gqlapi.accounts.registration import Registration, register
from gqlapi.database.unit import Database
from gqlapi.models import UserRole, new_id
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import CredentialRepository

DEMO_PASSWORD = "gqlapi-demo"  # noqa: S105 - everybody may know it: production refuses it
# Behind the authors of the seed, in lists of the newest users.
SINCE = datetime(2016, 1, 1, tzinfo=UTC)
DEMO_USERS = {role.value: role for role in reversed(UserRole)}


async def create_demo_users(database: Database) -> None:
    """Create one user of each role, named after it."""
    password_hash = await Passwords().hash(DEMO_PASSWORD)
    async with database.write() as session:
        scope = WriteScope(session)
        for name, role in DEMO_USERS.items():
            user = Registration(name, f"{name}@demo.test", DEMO_PASSWORD, f"Demo {name}").to_user(role)
            user.id = new_id(SINCE)
            await register(scope, user, password_hash)


async def find_demo_logins(database: Database) -> list[str]:
    """Return the names of the demo users who still have the password that everybody knows."""
    unit = database.read()
    try:
        found = [(name, await CredentialRepository(unit).get_by_login(name)) for name in DEMO_USERS]
    finally:
        await unit.close()
    passwords = Passwords()
    return [
        name
        for name, credential in found
        if credential is not None and await passwords.verify(credential.password_hash, DEMO_PASSWORD)
    ]
