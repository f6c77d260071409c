"""The files for operators are valid, and give a server the time that it takes to stop."""

import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gqlapi.app import create_app
from gqlapi.serving.server import CLOSE_SECONDS, GRACEFUL_SHUTDOWN_SECONDS
from gqlapi.settings import Settings
from tests.api import settings_for
from tests.architecture import ROOT

FOLDER = ROOT / "examples" / "operations"
MANIFESTS: list[dict[str, Any]] = [*yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())]
UNIT = (FOLDER / "gqlapi.service").read_text()
STOP_SECONDS = GRACEFUL_SHUTDOWN_SECONDS + CLOSE_SECONDS


def manifest(kind: str) -> dict[str, Any]:
    [found] = [manifest for manifest in MANIFESTS if manifest["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifest("Deployment")["spec"]["template"]["spec"]
    return spec


def setting(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found is not None
    return found[1]


class TestKubernetes:
    @pytest.mark.parametrize("kind", [found["kind"] for found in MANIFESTS])
    def test_has_valid_manifests(self, kind: str) -> None:
        kubernetes_validate.validate(manifest(kind), kubernetes_validate.latest_version(), strict=True)

    def test_refuses_a_field_that_there_is_not(self) -> None:
        broken = {**manifest("Service"), "specs": {}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)

    def test_probes_paths_that_there_are(self, sqlite_url: str) -> None:
        [container] = pod()["containers"]
        probed = {container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
        served = {getattr(route, "path", "") for route in create_app(settings_for(sqlite_url)).routes}
        assert probed == {"/startupz", "/readyz", "/healthz"} <= served

    def test_names_settings_that_there_are(self) -> None:
        [container] = pod()["containers"]
        names = {variable["name"] for variable in container["env"]} | set(manifest("Secret")["stringData"])
        assert names <= {f"GQLAPI_{name.upper()}" for name in Settings.model_fields}

    def test_gives_a_server_the_time_to_stop(self) -> None:
        [container] = pod()["containers"]
        grace = {variable["name"]: variable["value"] for variable in container["env"]}["GQLAPI_STOP_GRACE_SECONDS"]
        before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert before + float(grace) + STOP_SECONDS < pod()["terminationGracePeriodSeconds"]

    def test_keeps_a_server_during_disruptions(self) -> None:
        budget, deployment = manifest("PodDisruptionBudget")["spec"], manifest("Deployment")["spec"]
        assert 0 < budget["minAvailable"] < deployment["replicas"]
        labels = deployment["template"]["metadata"]["labels"]
        assert budget["selector"]["matchLabels"] == manifest("Service")["spec"]["selector"] == labels


class TestSystemd:
    def test_has_a_valid_unit(self) -> None:
        if (program := shutil.which("systemd-analyze")) is None:
            pytest.skip("systemd is not installed")
        done = subprocess.run(
            [program, "verify", FOLDER / "gqlapi.service"], capture_output=True, text=True, check=False
        )
        # The program is not installed where the tests run.
        assert [line for line in done.stderr.splitlines() if "is not executable" not in line] == []

    def test_gives_a_server_the_time_to_stop(self) -> None:
        grace = Settings.model_fields["stop_grace_seconds"].default
        assert grace + STOP_SECONDS < float(setting("TimeoutStopSec"))
        assert setting("KillMode") == "mixed"


def test_compose_gives_a_server_the_time_to_stop() -> None:
    server = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["server"]
    grace = Settings.model_fields["stop_grace_seconds"].default
    assert grace + STOP_SECONDS < float(server["stop_grace_period"].removesuffix("s"))
