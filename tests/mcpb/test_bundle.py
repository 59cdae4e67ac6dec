"""The bundle, unpacked and started as a host does it."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.mcpb.__main__ import BUNDLE
from tests.support.hosts.host import connected

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SYSTEM = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "HTTPS_PROXY", "UV_DEFAULT_INDEX", "UV_CACHE_DIR")


def fill_in(value: Any, known: dict[str, str]) -> Any:
    """A part of the manifest with its `${…}` replaced."""
    text = json.dumps(value)
    for name, word in known.items():
        text = text.replace(f"${{{name}}}", json.dumps(word)[1:-1])
    return json.loads(text)


async def test_a_host_can_start_the_bundle_and_list_the_tools_that_it_announces(tmp_path: Path) -> None:
    with zipfile.ZipFile(BUNDLE) as bundle:
        names = bundle.namelist()
        bundle.extractall(tmp_path / "bundle")
        manifest = json.loads(bundle.read("manifest.json"))
    assert manifest["server"]["entry_point"] in names
    assert not any("__pycache__" in name or "/tests/" in name for name in names)
    chosen = {f"user_config.{name}": str(field["default"]) for name, field in manifest["user_config"].items()}
    config = fill_in(manifest["server"]["mcp_config"], {"__dirname": str(tmp_path / "bundle"), **chosen})
    assert "${" not in json.dumps(config)
    variables = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    # Hosts bring a uv of their own. Here it is a Python package.
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    server = StdioServerParameters(
        command=config["command"], args=config["args"], env={**variables, **config["env"], "HOME": str(tmp_path)}
    )
    async with connected(stdio_client(server), "auto", name="claude-ai") as host:
        tools = {tool.name for tool in (await host.client.list_tools()).tools}
    assert tools == {tool["name"] for tool in manifest["tools"]}
