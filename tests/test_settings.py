"""Configuration: the table in README and docs, secrets, and where settings are read from."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from gqlapi.settings import DEV_SECRET_KEY, Settings
from tests.settings_table import PATHS, settings_table

TABLE = re.compile(r"<!-- settings: begin -->\n(.*?)\n<!-- settings: end -->", re.DOTALL)
SECRET = "a secret of more than thirty-two characters"


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder without `.env`."""
    monkeypatch.chdir(tmp_path)


class TestTable:
    def test_in_the_readme_is_that_of_the_code(self) -> None:
        # To write it anew: python -m tests.settings_table
        for path in PATHS:
            assert TABLE.findall(path.read_text(encoding="utf-8")) == [settings_table()], path

    def test_has_a_row_for_each_setting(self) -> None:
        _, _, *rows = settings_table().splitlines()
        names = [row.split("`")[1] for row in rows]
        assert names == [f"GQLAPI_{name.upper()}" for name in Settings.model_fields]

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_says_what_a_setting_means(self, name: str) -> None:
        description = Settings.model_fields[name].description
        assert description is not None
        assert description.endswith((".", ")", "`"))
        assert description.casefold().rstrip(".").replace(" ", "_") != name


class TestSecretKey:
    @pytest.mark.parametrize("secret", [None, DEV_SECRET_KEY, "", "x" * 31, "hunter2"])
    def test_of_production_must_be_long_and_not_the_one_of_dev(self, secret: str | None) -> None:
        given = {} if secret is None else {"secret_key": secret}
        with pytest.raises(ValidationError) as refused:
            Settings.model_validate({"environment": "production", **given})
        assert "GQLAPI_SECRET_KEY must be set to a secret of at least 32 characters" in str(refused.value)
        for shown in (str(refused.value), repr(refused.value)):
            assert not secret or secret not in shown

    def test_is_not_shown(self) -> None:
        settings = Settings.model_validate({"environment": "production", "secret_key": SECRET})
        assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
        assert settings.secret_key.get_secret_value() == SECRET

    def test_of_dev_may_be_the_default(self) -> None:
        assert Settings().secret_key.get_secret_value() == DEV_SECRET_KEY


class TestSources:
    def test_dotenv_is_read_and_the_environment_wins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("GQLAPI_PORT=1234\nGQLAPI_HOST=0.0.0.0\nOTHER=1\n")
        monkeypatch.setenv("GQLAPI_PORT", "4321")
        settings = Settings()
        assert (settings.host, settings.port) == ("0.0.0.0", 4321)  # noqa: S104 - nothing listens there

    def test_lists_are_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GQLAPI_CORS_ORIGINS", '["https://blog.example"]')
        assert Settings().cors_origins == ["https://blog.example"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("port", "65536"), ("pool_size", "0"), ("log_level", "loud"), ("environment", "test"), ("max_cost", "many")],
    )
    def test_wrong_values_are_refused(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(f"GQLAPI_{name.upper()}", value)
        with pytest.raises(ValidationError) as refused:
            Settings()
        assert [problem["loc"] for problem in refused.value.errors()] == [(name,)]


class TestGraphiQL:
    @pytest.mark.parametrize(("environment", "served"), [("dev", True), ("production", False)])
    def test_is_served_in_dev_or_when_it_is_asked_for(self, environment: str, served: bool) -> None:  # noqa: FBT001 - a parameter of the test
        values = {"environment": environment, "secret_key": SECRET}
        assert Settings.model_validate(values).serves_graphiql is served
        for chosen in (True, False):
            assert Settings.model_validate({**values, "graphiql": chosen}).serves_graphiql is chosen
