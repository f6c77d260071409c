"""Checks of the settings; wrong ones are reported, and replaced by their defaults so that the rest can be checked."""

import secrets
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from gqlapi.doctor.finding import Finding, error, ok, plural, warning
from gqlapi.settings import DEV_SECRET_KEY, MIN_SECRET_LENGTH, Settings

RENEW_KEY = 'Set GQLAPI_SECRET_KEY to what `python -c "import secrets; print(secrets.token_urlsafe(48))"` prints.'


def read_settings(overrides: dict[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """Read the settings as the server does; None if a wrong value has no default."""
    values, findings = dict(overrides), []
    for _ in range(3):  # the fields, then what they must be together, then all as it should be
        try:
            settings = Settings(**values)
        except ValidationError as wrong:
            for problem in wrong.errors():
                finding, stand_in = _problem(problem["loc"], problem["msg"].removeprefix("Value error, "))
                findings.append(finding)
                values |= stand_in
        except SettingsError as wrong:
            return None, [*findings, error("D001", f"{wrong}.", "Write lists as JSON.")]
        else:
            return settings, findings
    return None, findings


def _problem(location: tuple[int | str, ...], message: str) -> tuple[Finding, dict[str, Any]]:
    """Return the finding, and the default of the wrong value."""
    if not location:  # what the fields must be together: so far only the secret and the environment
        return error("D002", f"{message}.", RENEW_KEY), {"secret_key": SecretStr(secrets.token_urlsafe(48))}
    name = str(location[0])
    field = Settings.model_fields[name]
    default = field.get_default(call_default_factory=True, validated_data={})
    found = f"GQLAPI_{name.upper()}: {message}."
    return error("D001", found, f"Its meaning: {field.description}"), {name: default}


def examine_settings(settings: Settings, findings: list[Finding]) -> list[Finding]:
    """Check what is allowed but may be unwise; `findings` is what reading the settings brought."""
    codes = {finding.code for finding in findings}
    checks = [check_graphiql(settings), check_cors(settings), check_proxies(settings)]
    if "D002" not in codes:
        checks.insert(0, check_secret(settings))
    if "D001" not in codes:
        checks.insert(0, ok("D001", f"All can be read; the environment is {settings.environment}."))
    return [*findings, *checks]


def check_secret(settings: Settings) -> Finding:
    """Look at the secret key; that production has a good one, the settings themselves see to."""
    secret = settings.secret_key.get_secret_value()
    if secret == DEV_SECRET_KEY:
        return ok("D002", "The one for development, which production refuses.")
    if len(secret) < MIN_SECRET_LENGTH:
        found = f"It is shorter than {MIN_SECRET_LENGTH} characters; production refuses it."
        return warning("D002", found, RENEW_KEY)
    return ok("D002", "It is set.")


def check_graphiql(settings: Settings) -> Finding:
    """Production shows its schema to browsers only when it is asked to."""
    if settings.is_production and settings.serves_graphiql:
        return warning("D003", "Production serves GraphiQL to everybody.", "Unset GQLAPI_GRAPHIQL.")
    return ok("D003", "It is served." if settings.serves_graphiql else "It is not served.")


def check_cors(settings: Settings) -> Finding:
    """Look for an origin that matches all."""
    if "*" in settings.cors_origins:
        fix = "List the origins of your own pages in GQLAPI_CORS_ORIGINS."
        return warning("D004", "Pages of every site may call the API from browsers.", fix)
    return ok("D004", f"{plural(len(settings.cors_origins), 'origin')} may call the API from browsers.")


def check_proxies(settings: Settings) -> Finding:
    """Behind a proxy that is not named, one visitor's attempts to sign in count against all others'."""
    if settings.trusted_proxies:
        return ok("D005", f"{plural(len(settings.trusted_proxies), 'address')} of proxies are trusted.")
    if settings.is_production and "trusted_proxies" not in settings.model_fields_set:
        found = "GQLAPI_TRUSTED_PROXIES is not set: behind a proxy, all visitors count as one client."
        return warning("D005", found, "Set it to the addresses of the proxy, as JSON, or to [] if there is none.")
    return ok("D005", "None is trusted: a client is known by the address of its connection.")
