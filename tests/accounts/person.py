"""What the tests of accounts share: a person who signs up and in, through the API."""

from typing import Any

from tests.api import Api

TOKENS = "accessToken accessTokenExpiresAt refreshToken user { username email role }"
PAIR = ("accessToken", "refreshToken")
PASSWORD = "correct horse"
ADA = {"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD}
VIEWER = "{ viewer { username sessions { current userAgent } } }"


async def sign_up(api: Api, **changes: Any) -> Any:
    return await api.payload("signUp", {**ADA, **changes}, TOKENS)


async def sign_in(api: Api, login: str = "ada", password: str = PASSWORD) -> Any:
    return await api.payload("signIn", {"login": login, "password": password}, TOKENS)


async def refresh(api: Api, token: str) -> Any:
    return await api.payload("refreshSession", {"refreshToken": token}, TOKENS)


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]
