"""A Chromium for the tests of the page: one that is there, or one that this machine can get.

`python -m tests.app.browser` gets one, from Playwright or from Debian's packages; without one the tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN_PACKAGE = "chromium-headless-shell"
DOWNLOAD_S, INSTALL_S = 120, 300


def find_browser() -> str | None:
    """The path of a browser: that in CHROMIUM, Playwright's own, or one in PATH."""
    if given := os.environ.get("CHROMIUM"):
        return given
    found = sorted(_downloads().glob("chromium*/*/*shell*")) + sorted(_downloads().glob("chromium*/*/chrome"))
    executables = [str(path) for path in found if path.is_file() and os.access(path, os.X_OK)]
    return next(iter(executables), None) or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    if find_browser() is None:
        _try([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], DOWNLOAD_S)
    if find_browser() is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        _try(["apt-get", "update", "-qq"], INSTALL_S)
        _try(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", DEBIAN_PACKAGE], INSTALL_S)
    browser = find_browser()
    print(f"Browser: {browser or 'none can be had here; the tests are skipped'}")
    return 0


def _downloads() -> Path:
    return Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")


def _try(command: list[str], timeout_s: float) -> None:
    """Whether it worked is seen by what is there afterwards."""
    try:
        subprocess.run(command, check=False, timeout=timeout_s, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]} did not bring a browser: {type(error).__name__}")


if __name__ == "__main__":
    sys.exit(main())
