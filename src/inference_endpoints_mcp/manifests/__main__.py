"""Writes what is published beside the code: `python -m inference_endpoints_mcp.manifests`.

`--check` writes nothing and fails if something published is not what the code says.
"""

import json
import sys
from pathlib import Path

from inference_endpoints_mcp.manifests import hosts, python_api, registry, tools
from inference_endpoints_mcp.manifests.hosts import as_json
from inference_endpoints_mcp.tools.registry import TOOLS
from inference_endpoints_mcp.tools.schema import contract

PACKAGE = Path(__file__).parent.parent
REPOSITORY = PACKAGE.parent.parent
MANIFESTS = REPOSITORY / "manifests"


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    contracts = [contract(spec) for spec in TOOLS]
    return {
        PACKAGE / "contract.json": json.dumps(contracts, separators=(",", ":"), ensure_ascii=False) + "\n",
        MANIFESTS / "tools.json": as_json(contracts),
        MANIFESTS / "TOOLS.md": tools.page(list(zip(TOOLS, contracts, strict=True))),
        MANIFESTS / "API.md": python_api.page(),
        MANIFESTS / "server.json": as_json(registry.entry()),
        **{MANIFESTS / "hosts" / name: text for name, text in hosts.configurations().items()},
    }


def main(arguments: list[str]) -> int:
    checking = "--check" in arguments
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    if checking:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not what the code says: run `make manifests`.\n")
        return 1 if stale else 0
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
