"""The page's sources: typed by their comments, and formatted."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.manifests.__main__ import PACKAGE

TOOLS = Path(sys.prefix, "page", "node_modules", ".bin")
SOURCES = PACKAGE / "app" / "source"
CHECKS = {
    "types": ["tsc", "--project", str(Path(__file__).with_name("tsconfig.json"))],
    "format": ["prettier", "--check", "--print-width", "120", *map(str, sorted(SOURCES.rglob("*.[jtc]s*")))],
}


@pytest.mark.skipif(not TOOLS.exists(), reason="`make test-app` installs TypeScript and Prettier")
@pytest.mark.parametrize("check", CHECKS)
def test_the_sources_pass(check: str) -> None:
    tool, *arguments = CHECKS[check]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    ran = subprocess.run(
        [TOOLS / tool, *arguments], check=False, capture_output=True, text=True, env={"PATH": path, "HOME": sys.prefix}
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
