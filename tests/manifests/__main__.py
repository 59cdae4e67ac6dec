"""Generate the published files: `python -m tests.manifests`.

`--check` writes nothing, and fails if a published file differs from what the code generates.
"""

import sys
from pathlib import Path

from tests.frameworks import measured
from tests.manifests import (
    clients_page,
    host_configs,
    mcpb_manifest,
    python_api,
    registry_entry,
    settings_table,
    tools_page,
)
from tests.manifests.host_configs import to_json

from inference_endpoints_mcp.tools.registry import APP_TOOLS, TOOLS
from inference_endpoints_mcp.tools.schema import contract

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "inference_endpoints_mcp"
MANIFESTS = REPOSITORY / "manifests"


def generate() -> dict[Path, str]:
    """The content of every generated file."""
    contracts = [contract(spec) for spec in TOOLS]
    readme = REPOSITORY / "README.md"
    return {
        PACKAGE / "contract.json": to_json(contracts),
        PACKAGE / "app_contract.json": to_json([contract(spec) for spec in APP_TOOLS]),
        MANIFESTS / "TOOLS.md": tools_page.render_tools_page(list(zip(TOOLS, contracts, strict=True)), APP_TOOLS),
        MANIFESTS / "CLIENTS.md": clients_page.render_clients_page(),
        MANIFESTS / "API.md": python_api.render_api_page(),
        readme: settings_table.render_readme(readme.read_text("utf-8")),
        MANIFESTS / "mcpb.json": to_json(mcpb_manifest.build_mcpb_manifest()),
        MANIFESTS / "server.json": to_json(registry_entry.build_registry_entry()),
        **{MANIFESTS / "hosts" / name: text for name, text in host_configs.build_host_configs().items()},
    }


def main(arguments: list[str]) -> int:
    stale = [path for path, text in generate().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(
                f"{path.relative_to(REPOSITORY)} differs from what the code generates: run `make manifests`.\n"
            )
        for name in measured.outdated():
            sys.stderr.write(f"{name} was not measured at this version: run `make clients-table`.\n")
        return 1 if stale or measured.outdated() else 0
    for path, text in generate().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
