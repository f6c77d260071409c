"""The schema as a file, and the configuration of tools that read it."""

from pathlib import Path

import pytest
import yaml

from tests.api import serve, settings_for
from tests.architecture import ROOT

PATH = "/graphql/schema.graphql"
PRODUCTION = {"environment": "production", "secret_key": "a secret of more than thirty-two characters"}


class TestSchemaFile:
    async def test_has_the_sdl_of_the_repository(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response = await api.http.get(PATH)
            again = await api.http.get(PATH, headers={"If-None-Match": response.headers["etag"]})
            posted = await api.http.post(PATH)
        assert (response.status_code, response.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.text == (ROOT / "schema.graphql").read_text(encoding="utf-8")
        assert (again.status_code, again.content, posted.status_code) == (304, b"", 405)

    @pytest.mark.parametrize(
        ("values", "status"),
        [({}, 200), (PRODUCTION, 404), ({**PRODUCTION, "serve_schema": True}, 200), ({"serve_schema": False}, 404)],
    )
    async def test_is_served_in_dev_or_when_it_is_asked_for(
        self, sqlite_url: str, values: dict[str, str], status: int
    ) -> None:
        async with serve(settings_for(sqlite_url, **values)) as api:
            assert (await api.http.get(PATH)).status_code == status


class TestConfiguration:
    def test_of_tools_names_files_that_exist(self) -> None:
        configuration = yaml.safe_load((ROOT / ".graphqlrc.yml").read_text(encoding="utf-8"))
        assert Path(ROOT / configuration["schema"]).is_file()
        assert {*ROOT.glob(configuration["documents"])} == {*ROOT.glob("examples/*.graphql")} != set()
