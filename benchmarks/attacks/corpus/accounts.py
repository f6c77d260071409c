"""Attacks by signing in and up."""

from typing import Any

from benchmarks.attacks.attack import (
    BAD_INPUT,
    DATA,
    REJECTED,
    THROTTLED,
    TOO_LARGE,
    Attack,
    HttpRequest,
    author,
    graphql,
)

LIGATURE = "\ufdfa"
REFUSED = REJECTED | THROTTLED | TOO_LARGE | BAD_INPUT
ERRORS = "errors{code message}"
MEGABYTE = 1_000_000


def sign_in(login: str, password: str = "a wrong password") -> HttpRequest:  # noqa: S107 - of no user
    """Return a request to sign in."""
    return graphql(
        f"mutation($v:SignInInput!){{signIn(input:$v){{{ERRORS}}}}}", {"v": {"login": login, "password": password}}
    )


def sign_up(**fields: Any) -> HttpRequest:
    """Return a request to sign up with values of which one is hostile."""
    values = {"username": "hostile", "email": "hostile@example.com", "password": "a password of no user", **fields}
    return graphql(f"mutation($v:SignUpInput!){{signUp(input:$v){{{ERRORS}}}}}", {"v": values})


def refresh(token: str) -> HttpRequest:
    """Return a request to refresh a session."""
    return graphql(
        f"mutation($v:RefreshSessionInput!){{refreshSession(input:$v){{{ERRORS}}}}}", {"v": {"refreshToken": token}}
    )


def many(count: int, field: str) -> HttpRequest:
    """Return a mutation of so many fields, with their number in the place of `#`."""
    fields = (f"a{n}:{field.replace('#', str(n))}{{{ERRORS}}}" for n in range(count))
    return graphql(f"mutation{{{' '.join(fields)}}}")


ATTACKS = (
    Attack(
        "accounts-01",
        "A login of 340,000 ligatures, folded before the throttle.",
        REFUSED,
        lambda _: sign_in(LIGATURE * 340_000),
    ),
    Attack("accounts-02", "A login of 1 MB.", REFUSED, lambda _: sign_in("a" * MEGABYTE)),
    Attack(
        "accounts-03",
        "A password of 1 MB to hash.",
        REFUSED,
        lambda _: sign_in("admin", "p" * MEGABYTE),
    ),
    Attack(
        "accounts-04",
        "Ten sign-ins in one document: ten hashes.",
        REFUSED,
        lambda _: many(10, 'signIn(input:{login:"nobody#",password:"wrong password"})'),
    ),
    Attack("accounts-05", "A user name of 1 MB.", REFUSED, lambda _: sign_up(username="u" * MEGABYTE)),
    Attack("accounts-06", "A user name of 300,000 ligatures.", REFUSED, lambda _: sign_up(username=LIGATURE * 300_000)),
    Attack("accounts-07", "An address with 300,000 at signs.", REFUSED, lambda _: sign_up(email="a@" * 300_000)),
    Attack(
        "accounts-08",
        "An address with a domain of 100,000 labels.",
        REFUSED,
        lambda _: sign_up(email="a@" + "b." * 300_000 + "com"),
    ),
    Attack(
        "accounts-09",
        "An address with an international domain of 300,000 characters.",
        REFUSED,
        lambda _: sign_up(email="a@" + "ü" * 300_000 + ".com"),
    ),
    Attack(
        "accounts-10",
        "An address with 100,000 marks, which are slow to check one by one.",
        REFUSED,
        lambda _: sign_up(email="a@" + "\u0660" * 100_000 + ".com"),
    ),
    Attack(
        "accounts-11",
        "An address in quotes of 1 MB.",
        REFUSED,
        lambda _: sign_up(email='"' + "\\ " * 300_000 + '"@example.com'),
    ),
    Attack("accounts-12", "A password of 1 MB for a new user.", REFUSED, lambda _: sign_up(password="p" * MEGABYTE)),
    Attack(
        "accounts-13",
        "A display name of 300,000 ligatures.",
        REFUSED,
        lambda _: sign_up(displayName=LIGATURE * 300_000),
    ),
    Attack("accounts-14", "A refresh token of 1 MB.", REFUSED, lambda _: refresh("r" * MEGABYTE)),
    Attack(
        "accounts-15",
        "Ten unknown refresh tokens: ten write transactions.",
        REFUSED,
        lambda _: many(10, 'refreshSession(input:{refreshToken:"r#"})'),
    ),
    Attack(
        "accounts-16",
        "Ten sign-ups in one document: ten hashes.",
        REFUSED | DATA,
        lambda _: many(10, 'signUp(input:{username:"one#",email:"one#@example.com",password:"a password of one"})'),
    ),
    Attack(
        "accounts-17",
        "The name of an API token has 1 MB.",
        REFUSED,
        lambda _: author(
            f"mutation($v:CreateApiTokenInput!){{createApiToken(input:$v){{{ERRORS}}}}}",
            {"v": {"name": "n" * MEGABYTE, "scopes": ["READ"]}},
        ),
    ),
    Attack(
        "accounts-18",
        "An API token for 80,000 scopes.",
        REFUSED,
        lambda _: author(
            f"mutation($v:CreateApiTokenInput!){{createApiToken(input:$v){{{ERRORS}}}}}",
            {"v": {"name": "n", "scopes": ["READ"] * 80_000}},
        ),
    ),
    Attack(
        "accounts-19",
        "A password of 250,000 combining marks to normalise.",
        REFUSED,
        lambda _: sign_up(password="a" + "\u0301\u0323" * 80_000),
    ),
    Attack(
        "accounts-20",
        "Ten changes of a password, without an account.",
        REFUSED,
        lambda _: many(10, 'changePassword(input:{currentPassword:"wrong password",newPassword:"new password #"})'),
    ),
    Attack(
        "accounts-21",
        "Three new users in one document: three hashes and three sessions.",
        TOO_LARGE,
        lambda _: many(3, 'signUp(input:{username:"new#",email:"new#@example.com",password:"correct horse #"})'),
    ),
)
