"""The published files are what the code generates, in the forms that their readers require."""

import base64
import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml
from tests.manifests import host_configs, mcpb_manifest, registry_entry
from tests.manifests.__main__ import MANIFESTS, REPOSITORY, generate

import inference_endpoints
from inference_endpoints_mcp.cli.settings.base import VARIABLE_PREFIX
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.install.hosts import DEFAULT_FLAGS
from inference_endpoints_mcp.install.links import install_links
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


@pytest.mark.skipif(SCHEMAS is None, reason="PUBLISHED_SCHEMAS names no folder with the schema of bundles")
def test_the_manifest_of_the_bundle_fits_its_published_schema() -> None:
    schema = json.loads((Path(SCHEMAS or "") / "mcpb-manifest-0.4.schema.json").read_text("utf-8"))
    jsonschema.validate(mcpb_manifest.build_mcpb_manifest(), schema)


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
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".yaml": yaml.safe_load, ".json": json.loads}
    for name, text in host_configs.build_host_configs().items():
        parsed = readers[Path(name).suffix](text)
        (servers,) = parsed.values()
        assert set(servers) == {"inference-endpoints"}
        assert ("--local" in text) is (".local." in name)
        assert not re.search(r"hf_[A-Za-z0-9]{8,}", text)


def test_each_link_holds_the_entry_of_its_host() -> None:
    for host, link in install_links(DEFAULT_FLAGS, local=False).items():
        (name,), (config,) = (parse_qs(urlsplit(link).query)[part] for part in ("name", "config"))
        entry = json.loads(config if host == "vscode" else base64.b64decode(config, validate=True))
        written = json.loads(next(MANIFESTS.glob(f"hosts/{host}.mcp.json")).read_text("utf-8"))
        assert {name: entry} in written.values()
        assert link in (REPOSITORY / "README.md").read_text("utf-8")


def test_the_page_of_tools_shows_every_tool() -> None:
    page = (MANIFESTS / "TOOLS.md").read_text("utf-8")
    for spec in TOOLS:
        assert f"## {spec.name}\n" in page


def test_the_page_of_the_python_api_has_a_heading_for_each_public_name() -> None:
    headings = re.findall(r"^### (\w+)$", (MANIFESTS / "API.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == inference_endpoints.__all__
