"""Build the bundle into `dist/`: `python -m tests.mcpb`. The public tool validates the manifest and packs the files."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.install.launch import PACKAGE

REPOSITORY = Path(__file__).parents[2]
NODE = Path(sys.executable).with_name("node")
TOOL = Path(sys.prefix, "mcpb", "node_modules", "@anthropic-ai", "mcpb", "dist", "cli", "cli.js")
BUNDLE = REPOSITORY / "dist" / f"{PACKAGE}-{__version__}.mcpb"
INSTALLED = ("pyproject.toml", "README.md", "LICENSE")
"""What the build of the package reads besides `src`."""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mcpb-") as folder:
        stage = Path(folder)
        shutil.copy(REPOSITORY / "manifests" / "mcpb.json", stage / "manifest.json")
        for name in INSTALLED:
            shutil.copy(REPOSITORY / name, stage)
        shutil.copytree(REPOSITORY / "src", stage / "src", ignore=shutil.ignore_patterns("__pycache__"))
        BUNDLE.parent.mkdir(exist_ok=True)
        BUNDLE.unlink(missing_ok=True)
        for arguments in (("validate", stage / "manifest.json"), ("pack", stage, BUNDLE)):
            ended = subprocess.run([NODE, TOOL, *arguments], capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                sys.stderr.write(ended.stdout + ended.stderr)
                return ended.returncode
    print(BUNDLE.relative_to(REPOSITORY))
    return 0


if __name__ == "__main__":
    sys.exit(main())
