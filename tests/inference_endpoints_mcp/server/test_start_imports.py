"""What the first answers of a server may load: a host waits for each import at every start."""

import re
from pathlib import Path

import pytest
from tests.benchmarks.peers.peer import OUR_SERVER, Era, Peer

OF_THE_MODEL_LAYER = {
    "confined_files",
    "errors",
    "transport",
    "transport.backend",
    "transport.effect",
    "transport.path_segment",
    "transport.service",
    "transport.token",
    "watching",
    "watching.event_stream",
    "watching.request_limits",
}
OF_THE_PLANE = {"daemon", "daemon.default_folder"}
NEVER = {
    "filelock",
    "inference_endpoints_mcp.server.clients",
    "inference_endpoints_mcp.server.http.access",
    "inference_endpoints_mcp.tools.registry",
}
"""Locks of files, what only HTTP has, and what the first call loads."""


@pytest.mark.parametrize("era", Era)
def test_no_model_client_or_tool_is_loaded_before_the_tools_are_listed(era: Era, tmp_path: Path) -> None:
    loaded = loaded_until_tools_are_listed(era, tmp_path / "imports")
    assert "inference_endpoints_mcp.server.mcp_server" in loaded
    assert below("inference_endpoints", loaded) <= OF_THE_MODEL_LAYER
    assert below("inference_endpoints_local", loaded) <= OF_THE_PLANE
    assert loaded & NEVER == set()


def loaded_until_tools_are_listed(era: Era, report: Path) -> set[str]:
    with report.open("w") as stderr, Peer(["-X", "importtime", *OUR_SERVER], era, stderr) as peer:
        peer.begin()
        assert peer.tools()
    return set(re.findall(r"^import time:[^|]*\|[^|]*\| +(\S+)$", report.read_text("utf-8"), re.MULTILINE))


def below(package: str, loaded: set[str]) -> set[str]:
    return {name.removeprefix(f"{package}.") for name in loaded if name.startswith(f"{package}.")}
