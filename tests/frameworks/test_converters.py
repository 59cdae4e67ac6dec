"""Each provider's library converts every published tool, to what the provider takes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.frameworks.conftest import job_variables
from tests.frameworks.environments import Environment, all_converters
from tests.frameworks.model.provider_rules import nodes, problems
from tests.manifests.__main__ import PACKAGE
from tests.support.hang import HANG_TIMEOUT_S

TOOLS: list[dict[str, Any]] = json.loads((PACKAGE / "contract.json").read_text("utf-8"))
LONGEST_NAME = 60
"""Characters of a server's and a tool's name together, in Cursor."""


@pytest.mark.parametrize("environment", all_converters(), ids=lambda environment: environment.name)
def test_every_tool_is_converted_to_what_the_provider_takes(environment: Environment, tmp_path: Path) -> None:
    ended = subprocess.run(
        [environment.python, environment.converter],
        input=json.dumps({"tools": TOOLS}),
        env=job_variables(tmp_path),
        capture_output=True,
        text=True,
        timeout=HANG_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    converted = set()
    for conversion in map(json.loads, ended.stdout.splitlines()):
        for name, schema in conversion["tools"].items():
            assert problems(conversion["rules"], name, schema) == []
            assert lost_arguments(name, schema) == []
            converted.add(name)
    assert converted == {tool["name"] for tool in TOOLS}


def lost_arguments(name: str, converted: dict[str, Any]) -> list[str]:
    """Arguments that were dropped, or objects that cannot be given any more, not even as JSON text."""
    published = next(tool for tool in TOOLS if tool["name"] == name)["inputSchema"]["properties"]
    kept = converted.get("properties", {})
    return [
        argument
        for argument, schema in published.items()
        if argument not in kept
        or (
            any(node.get("type") == "object" for node in nodes(schema))
            and not any(str(node.get("type")).lower() == "string" for node in nodes(kept[argument]))
        )
    ]


def test_names_are_short_enough_for_every_host() -> None:
    assert all(len("inference-endpoints") + len(tool["name"]) <= LONGEST_NAME for tool in TOOLS)
