"""Every required scenario against the fixture server, and every one that needs no fixture against the product."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import COMMAND, address_of
from tests.support.hang import HANG_TIMEOUT_S

HERE = Path(__file__).parent
NODE = Path(sys.executable).with_name("node")
SUITE = Path(sys.prefix, "conformance", "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
EXPECTED_FAILURES = HERE / "expected-failures.yml"

OLDER, NEWER = "2025-11-25", "2026-07-28"
GENERIC = {
    "caching": [NEWER],
    "completion-complete": [OLDER, NEWER],
    "dns-rebinding-protection": [OLDER, NEWER],
    "http-header-validation": [NEWER],
    "input-required-result-unsupported-methods": [NEWER],
    "ping": [OLDER],
    "prompts-list": [OLDER, NEWER],
    "resources-list": [OLDER, NEWER],
    "resources-subscribe": [OLDER],
    "resources-unsubscribe": [OLDER],
    "sep-2164-resource-not-found": [NEWER],
    "server-initialize": [OLDER],
    "server-session-lifecycle": [OLDER],
    "server-sse-multiple-streams": [OLDER, NEWER],
    "server-stateless": [NEWER],
    "tools-list": [OLDER, NEWER],
}
"""The scenarios that name no tool, prompt or resource of their own."""
OF_EXTENSIONS = ("sep-2640-skills-enumeration", "sep-2640-skills-manifest")
"""Scenarios of extensions, which belong to no revision. The directories of skills are optional, and not served."""


@pytest.fixture(scope="module")
def fixture_server() -> Iterator[str]:
    with serving(sys.executable, "-m", "tests.conformance.fixture_server") as address:
        yield address


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command itself, on a simulated plane with an endpoint."""
    folder = ("--data-dir", str(tmp_path_factory.mktemp("plane")))
    flags = ("--port", "0", "--local", "--simulated", "--subscriptions", "20", *folder)
    with serving(*COMMAND, "serve", "--http", *flags) as address:
        anyio.run(create_endpoint, address)
        yield address
    subprocess.run([*COMMAND, "control-plane", "stop", *folder], capture_output=True, check=True)


@pytest.mark.parametrize("revision", [OLDER, NEWER])
def test_every_required_scenario_passes_against_the_servers_class(fixture_server: str, revision: str) -> None:
    conforms("--url", fixture_server, "--requirements", revision)


@pytest.mark.parametrize(
    ("scenario", "revision"), [(name, revision) for name, revisions in GENERIC.items() for revision in revisions]
)
def test_every_scenario_that_needs_no_fixture_passes_against_the_product(
    product: str, scenario: str, revision: str
) -> None:
    chosen = ("--scenario", scenario, "--spec-version", revision)
    conforms("--url", product, *chosen, "--expected-failures", str(EXPECTED_FAILURES))


@pytest.mark.parametrize("scenario", OF_EXTENSIONS)
def test_every_scenario_of_an_extension_passes_against_the_product(product: str, scenario: str) -> None:
    conforms("--url", product, "--scenario", scenario, "--force")


def conforms(*arguments: str) -> None:
    command: list[str] = [str(NODE), str(SUITE), "server", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANG_TIMEOUT_S, check=False)
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    assert "SKIPPED: scenario" not in output


@contextmanager
def serving(*command: str) -> Iterator[str]:
    """The address of a server that runs for as long as the context lasts."""
    root = HERE.parents[1]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()


async def create_endpoint(address: str) -> None:
    async with Client(streamable_http_client(address)) as client:
        spec = {"endpoint_name": "chat", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}
        assert not (await client.call_tool("create_endpoint", spec)).is_error
