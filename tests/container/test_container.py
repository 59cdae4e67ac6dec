"""The container file and the compose file: linted, and each service's command and health check run as processes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import COMMAND, INHERITED, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints.transport.http import httpx

pytestmark = pytest.mark.anyio

CONTAINER = Path(__file__).parents[2] / "manifests" / "container"
TOOLS = Path(sys.prefix, "container", "bin")
KEY, TOKEN = "k" * 40, "hf_" + "a" * 34


def run_tool(name: str, *arguments: str) -> str:
    ended = subprocess.run(
        [str(TOOLS / name), *arguments],
        cwd=CONTAINER,
        capture_output=True,
        text=True,
        timeout=HANG_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """What Compose itself reads."""
    read = run_tool("docker-compose", "--file", "compose.yaml", "--profile", "*", "config", "--format", "json")
    found: dict[str, Any] = json.loads(read)["services"]
    return found


def test_the_linters_find_nothing(services: dict[str, Any]) -> None:
    run_tool("hadolint", "Dockerfile")
    run_tool("compose-lint", "compose.yaml")
    for service in services.values():
        assert service["read_only"]
        assert service["user"] != "root"
        assert all(port["host_ip"] == "127.0.0.1" for port in service["ports"])


def test_the_container_file_copies_what_the_ignore_file_lets_in() -> None:
    text = (CONTAINER / "Dockerfile").read_text("utf-8")
    let_in = {line[1:] for line in (CONTAINER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    assert copied == let_in
    assert all((CONTAINER.parents[1] / name).exists() for name in copied)
    assert re.search(r"^USER (?!0|root)", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["account", "local"])
async def test_a_services_command_serves_hosts_and_its_health_check_tells(
    services: dict[str, Any], tmp_path: Path, name: str
) -> None:
    with serving(services[name], tmp_path) as address:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            httpx.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            assert (await client.list_tools()).tools
        assert check_health(services[name], address).returncode == 0
    assert check_health(services[name], address).returncode != 0


@contextmanager
def serving(service: dict[str, Any], folder: Path) -> Iterator[str]:
    """The service as a process: its folders are in another place, and its port is a free one."""
    (folder / "secrets" / "huggingface").mkdir(parents=True)
    write_private(folder / "secrets" / "key", KEY)
    write_private(folder / "secrets" / "huggingface" / "token", TOKEN)

    def moved(text: str) -> str:
        return text.replace("/run/secrets", str(folder / "secrets")).replace("--host=0.0.0.0", "--host=127.0.0.1")

    command = [*COMMAND, *map(moved, service["command"]), "--port", "0"]
    variables = {name: moved(value) for name, value in service.get("environment", {}).items()}
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    data = {"HOME": str(folder), "INFERENCE_ENDPOINTS_DATA_DIR": str(folder / "data")}
    with subprocess.Popen(command, env=kept | data | variables, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()
    subprocess.run([*COMMAND, "control-plane", "stop", "--data-dir", folder / "data"], capture_output=True, check=True)


def check_health(service: dict[str, Any], address: str) -> "subprocess.CompletedProcess[bytes]":
    _, _, *arguments = service["healthcheck"]["test"]
    port = httpx.URL(address).port
    command = [sys.executable, *(argument.replace("8000", str(port)) for argument in arguments)]
    return subprocess.run(command, capture_output=True, timeout=HANG_TIMEOUT_S, check=False)
