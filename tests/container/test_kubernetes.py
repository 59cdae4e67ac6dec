"""The files in `manifests/kubernetes`: by the schemas of Kubernetes, and their commands as processes. No cluster."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.broker.broker import PASSWORD, Broker
from tests.container.test_container import TOKEN, run_tool
from tests.support.command import COMMAND, INHERITED, Run, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.cli.settings.base import parse_arguments
from inference_endpoints_mcp.cli.settings.serve import ServeSettings
from inference_endpoints_mcp.policy.limits import read_limits

pytestmark = pytest.mark.anyio

KUBERNETES = Path(__file__).parents[2] / "manifests" / "kubernetes"
FILES = ["server.yaml", "broker.yaml", "local.yaml"]
PODS = {"server": "server.yaml", "broker": "broker.yaml", "local": "local.yaml"}


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / file).read_text("utf-8")))


def pod_of(name: str) -> dict[str, Any]:
    return dict(documents(PODS[name])[0]["spec"]["template"]["spec"])


def container_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(name)["containers"]
    return dict(container)


@pytest.mark.parametrize("file", FILES)
def test_the_schemas_of_kubernetes_know_every_field(file: str) -> None:
    passed = run_tool("kubernetes-validate", "--strict", str(KUBERNETES / file))
    assert passed.count("passed") == len(documents(file))


def test_the_kustomization_names_what_there_is() -> None:
    (kustomization,) = documents("kustomization.yaml")
    (policy,) = kustomization["configMapGenerator"]
    assert all((KUBERNETES / name).exists() for name in [*kustomization["resources"], *policy["files"]])
    assert {image["name"] for image in kustomization["images"]} == {container_of("server")["image"]}
    assert read_limits(KUBERNETES / "policy.toml")


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_and_no_secret_and_is_probed(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"livenessProbe", "readinessProbe", "resources"} <= container.keys()
    assert "env" not in container
    kept = {volume["name"] for volume in pod["volumes"]} | {"data"}
    assert {mount["name"] for mount in container["volumeMounts"]} <= kept
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert {secret["defaultMode"] for secret in secrets} == {0o400}


@pytest.mark.parametrize("name", ["server", "local"])
def test_every_flag_is_one_of_the_command_and_every_file_is_mounted(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    command, *flags = container["args"]
    assert command == "serve"
    settings = parse_arguments(ServeSettings, flags)
    assert settings.http
    assert settings.grace + 5 < pod["terminationGracePeriodSeconds"]
    mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
    paths = [flag.partition("=")[2] for flag in flags if "=/" in flag]
    assert paths
    assert all(str(Path(path).parent) in mounted for path in paths)


def test_the_services_and_the_policy_reach_the_pods() -> None:
    for name, file in PODS.items():
        kinds = {document["kind"]: document for document in documents(file)}
        ports = {port["name"] for port in container_of(name)["ports"]}
        assert kinds["Service"]["spec"]["selector"] == {"app": name}
        assert {port["targetPort"] for port in kinds["Service"]["spec"]["ports"]} <= ports
    (broker,) = [each for each in documents("broker.yaml") if each["kind"] == "NetworkPolicy"]
    assert broker["spec"]["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "server"}}}]
    assert "--broker=redis://broker:6379/0" in container_of("server")["args"]


@contextmanager
def broker_of_the_manifest(folder: Path) -> Iterator[Broker]:
    """Its own command, with another folder and a socket instead of a port."""
    broker = Broker(folder)
    container = container_of("broker")
    auth = write_private(folder / "auth.conf", f"requirepass {PASSWORD}\n")
    moved = {"valkey-server": "redis-server", "/run/secrets/broker/auth.conf": str(auth), "/data": str(folder)}
    command = [moved.get(word, word) for word in [*container["command"], *container["args"]]]
    socket = ["--port", "0", "--unixsocket", str(broker.socket)]
    with subprocess.Popen([*command, *socket], stdout=subprocess.DEVNULL) as process:
        try:
            yield broker
        finally:
            process.terminate()


@contextmanager
def server_of_the_manifest(folder: Path, keys: Path, broker: Broker) -> Iterator[str]:
    """Its own command, with files in another place and free ports. Yields its address."""
    changed = {
        "--keys": keys,
        "--token-file": write_private(folder / "token", TOKEN),
        "--broker-password-file": write_private(folder / "password", f"{PASSWORD}\n"),
        "--sealing-keys": write_private(folder / "sealing", "s" * 64),
        "--policy": KUBERNETES / "policy.toml",
        "--broker": broker.url,
        "--host": "127.0.0.1",
        "--port": "0",
        "--metrics": "127.0.0.1:0",
    }
    flags = [flag.partition("=") for flag in container_of("server")["args"]]
    command = [f"{name}={changed[name]}" if name in changed else name + is_ + value for name, is_, value in flags]
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, *command], env=kept | {"HOME": str(folder)}, **pipes) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Metrics at ")
            yield address_of(process)
        finally:
            process.terminate()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server: apt-get install redis-server")
async def test_the_commands_serve_a_caller_together(run: Run, tmp_path: Path, tmp_path_factory: Any) -> None:
    keys = tmp_path / "keys"
    key = run("keys", "add", "--keys", str(keys), "--name", "alice").stdout.splitlines()[-1]
    with (
        broker_of_the_manifest(tmp_path_factory.mktemp("b")) as broker,
        server_of_the_manifest(tmp_path, keys, broker) as address,
    ):
        await is_served(address, key)


async def is_served(address: str, key: str) -> None:
    # The manifest names the host that callers know.
    headers = {"Authorization": f"Bearer {key}", "Host": "mcp.acme.example"}
    async with httpx.AsyncClient(headers=headers, timeout=HANG_TIMEOUT_S) as http:
        for name in ("livenessProbe", "readinessProbe"):
            path = container_of("server")[name]["httpGet"]["path"]
            assert (await http.get(address.removesuffix("/mcp") + path)).status_code in (200, 503)

        async def has_its_broker() -> bool:
            return bool((await http.get(address.removesuffix("/mcp") + "/readyz")).json()["broker"] == "ready")

        await eventually(has_its_broker)
        async with Client(streamable_http_client(address, http_client=http)) as client:
            assert (await client.list_tools()).tools
