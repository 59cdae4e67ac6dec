"""The published files are what the code generates, in the forms that their readers require."""

import json
import os
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from tests.manifests import host_configs, registry_entry
from tests.manifests.__main__ import MANIFESTS, REPOSITORY, generate

import inference_endpoints
from inference_endpoints_mcp.cli.settings import VARIABLE_PREFIX, ServerSettings
from inference_endpoints_mcp.tools.registry import TOOLS

SCHEMAS = os.environ.get("PUBLISHED_SCHEMAS")
"""Folder with the schemas the MCP registry publishes."""


def test_every_published_file_is_what_the_code_generates() -> None:
    for path, text in generate().items():
        assert path.read_text("utf-8") == text, path.name


@pytest.mark.skipif(SCHEMAS is None, reason="PUBLISHED_SCHEMAS names no folder with the registry's schemas")
def test_the_registry_entry_fits_its_published_schema() -> None:
    schema = json.loads((Path(SCHEMAS or "") / "server-2025-12-11.schema.json").read_text("utf-8"))
    jsonschema.validate(registry_entry.build_registry_entry(), schema)


def test_the_registry_accepts_the_entry() -> None:
    entry = registry_entry.build_registry_entry()
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert len(entry["description"]) <= 100
    assert f"mcp-name: {entry['name']}" in (REPOSITORY / "README.md").read_text("utf-8")


def test_the_registry_entry_names_every_setting_and_marks_the_token_secret() -> None:
    variables = {
        item["name"]: item for item in registry_entry.build_registry_entry()["packages"][0]["environmentVariables"]
    }
    assert {f"{VARIABLE_PREFIX}{name.upper()}" for name in ServerSettings.model_fields} < set(variables)
    assert variables["HF_TOKEN"]["isSecret"] is True


def test_every_host_configuration_parses_and_holds_no_secret() -> None:
    for name, text in host_configs.build_host_configs().items():
        parsed = tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
        servers = parsed.get("mcpServers") or parsed.get("servers") or parsed["mcp_servers"]
        assert set(servers) == {"inference-endpoints"}
        assert ("--local" in text) is (".local." in name)
        assert not re.search(r"hf_[A-Za-z0-9]{8,}", text)


def test_the_page_of_tools_shows_every_tool() -> None:
    page = (MANIFESTS / "TOOLS.md").read_text("utf-8")
    for spec in TOOLS:
        assert f"## {spec.name}\n" in page


def test_the_page_of_the_python_api_has_a_heading_for_each_public_name() -> None:
    headings = re.findall(r"^### (\w+)$", (MANIFESTS / "API.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == inference_endpoints.__all__
