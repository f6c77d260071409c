"""The Dockerfile and compose.yaml, kept honest where no container engine is needed."""

import ast
import json
import re
import tomllib
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from gqlapi import __version__
from gqlapi.settings import Settings
from tests.architecture import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VARIABLES = {f"GQLAPI_{name.upper()}" for name in Settings.model_fields}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


class Step(NamedTuple):
    """An instruction of the Dockerfile, on one line."""

    instruction: str
    text: str


def steps() -> list[Step]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines() if line]


def texts(instruction: str, among: list[Step] | None = None) -> list[str]:
    return [step.text for step in (steps() if among is None else among) if step.instruction == instruction]


def runtime() -> list[Step]:
    """Return the steps of the last stage, which is what runs."""
    listed = steps()
    start = max(number for number, step in enumerate(listed) if step.instruction == "FROM")
    return listed[start:]


def only(instruction: str) -> str:
    [text] = texts(instruction, runtime())
    return text


def copied() -> list[str]:
    """Return the sources of each COPY from the build's context."""
    return [source for text in texts("COPY") if not text.startswith("--from") for source in text.split()[:-1]]


class TestImage:
    def test_serves_and_migrates_nothing_at_its_start(self) -> None:
        assert json.loads(only("ENTRYPOINT")) == ["gqlapi"]
        assert json.loads(only("CMD")) == ["serve"]
        assert not any("gqlapi migrate" in step.text for step in steps())

    def test_runs_as_a_user_with_a_fixed_number(self) -> None:
        user, group = only("USER").split(":")
        assert int(user) > 0
        assert f"--uid {user} " in only("RUN")
        assert f"--gid {group} " in only("RUN")

    def test_checks_its_health_on_the_configured_port(self) -> None:
        command = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
        assert command[:2] == ["python", "-c"]
        ast.parse(command[2])
        assert "os.environ['GQLAPI_PORT']" in command[2]
        assert "'/healthz'" in command[2]

    def test_listens_on_all_addresses(self) -> None:
        assert "GQLAPI_HOST=0.0.0.0 GQLAPI_PORT=8000" in only("ENV")
        assert only("EXPOSE") == "8000"

    def test_stops_by_the_signal_that_the_server_handles(self) -> None:
        assert only("STOPSIGNAL") == "SIGTERM"

    def test_sets_only_variables_that_exist(self) -> None:
        names = {name for text in [*texts("ENV"), *texts("ARG")] for name in re.findall(r"GQLAPI_\w+", text)}
        assert names
        assert names <= VARIABLES

    def test_holds_no_secret(self) -> None:
        assert not re.search(r"SECRET|PASSWORD|TOKEN", (ROOT / "Dockerfile").read_text())

    def test_names_its_version(self) -> None:
        assert f'org.opencontainers.image.version="{__version__}"' in only("LABEL")


class TestBuild:
    def test_uses_bases_of_one_python_that_is_supported(self) -> None:
        bases = [text.split()[0] for text in texts("FROM")]
        pythons = {base for base in bases if base.startswith("python:")}
        assert len(pythons) == 1
        # Not a tag that means another image next month.
        assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
        version = re.match(r"python:([\d.]+)-slim-", pythons.pop())
        assert version
        assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version[1])
        assert [base for base in bases if not base.startswith(("python:", "node:"))] == []

    def test_installs_the_uv_that_is_pinned(self) -> None:
        pins = [Requirement(line) for line in PROJECT["tool"]["uv"]["constraint-dependencies"]]
        [pin] = [pin for pin in pins if pin.name == "uv"]
        assert any(text.endswith(f" {pin}") for text in texts("RUN"))

    @pytest.mark.parametrize("source", copied())
    def test_copies_what_is_there_and_not_ignored(self, source: str) -> None:
        listed = (ROOT / ".dockerignore").read_text().splitlines()
        assert (ROOT / source).exists()
        assert f"!{source.partition('/')[0]}" in listed

    @pytest.mark.parametrize("name", [".env", ".git", "gqlapi.db", "tests", "uv.lock"])
    def test_ignores_what_is_not_listed(self, name: str) -> None:
        listed = (ROOT / ".dockerignore").read_text().splitlines()
        assert "*" in listed
        assert f"!{name}" not in listed

    def test_copies_everything_that_the_wheel_is_made_of(self) -> None:
        wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
        needed = {*wheel["only-include"], *wheel["force-include"], PROJECT["project"]["readme"]}
        assert needed | {*PROJECT["project"]["license-files"]} <= set(copied())


class TestCompose:
    def test_takes_only_variables_that_exist(self) -> None:
        names = {*SERVICES["migrate"]["environment"]} | {*SERVICES["server"]["environment"]}
        ours = {name for name in names if name.startswith("GQLAPI_")}
        assert {"GQLAPI_DATABASE_URL", "GQLAPI_SECRET_KEY"} <= ours <= VARIABLES

    def test_holds_no_secret(self) -> None:
        assert SERVICES["server"]["environment"]["GQLAPI_SECRET_KEY"].startswith("${GQLAPI_SECRET_KEY:?")
        for name in ("POSTGRES_PASSWORD", "GQLAPI_OWNER_PASSWORD", "GQLAPI_SERVER_PASSWORD"):
            assert SERVICES["db"]["environment"][name].startswith(f"${{{name}:?")

    def test_migrates_before_it_serves(self) -> None:
        assert SERVICES["db"]["healthcheck"]
        assert SERVICES["migrate"]["command"] == ["migrate"]
        assert SERVICES["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
        assert SERVICES["server"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert "command" not in SERVICES["server"]

    def test_publishes_the_port_of_the_image_on_loopback_only(self) -> None:
        ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert ports == [f"127.0.0.1:8000:{only('EXPOSE')}"]

    def test_trusts_the_proxy_of_this_machine(self) -> None:
        """What is published on loopback arrives from the gateway of the network."""
        [network] = COMPOSE["networks"]["default"]["ipam"]["config"]
        default = SERVICES["server"]["environment"]["GQLAPI_TRUSTED_PROXIES"]
        trusted = re.fullmatch(r"\$\{GQLAPI_TRUSTED_PROXIES:-(.*)\}", default)
        assert trusted
        assert json.loads(trusted[1]) == [network["gateway"]]
        assert ip_address(network["gateway"]) in ip_network(network["subnet"])

    def test_serves_as_a_role_that_owns_nothing(self) -> None:
        urls = {name: SERVICES[name]["environment"]["GQLAPI_DATABASE_URL"] for name in ("migrate", "server")}
        assert urls["migrate"].startswith("postgresql://gqlapi_owner:${GQLAPI_OWNER_PASSWORD}@db:")
        assert urls["server"].startswith("postgresql://gqlapi:${GQLAPI_SERVER_PASSWORD}@db:")

    def test_keeps_the_data_in_a_volume(self) -> None:
        mount, roles = SERVICES["db"]["volumes"]
        assert (ROOT / roles.partition(":")[0]).is_file()
        assert mount.partition(":")[0] in COMPOSE["volumes"]
