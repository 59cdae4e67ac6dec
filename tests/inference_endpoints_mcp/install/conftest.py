"""A person's home with the files of hosts in it."""

from pathlib import Path

import pytest
from tests.inference_endpoints_mcp.install.host_files import put

from inference_endpoints_mcp.install.hosts import HOSTS
from inference_endpoints_mcp.install.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine("linux", tmp_path, {}, tmp_path)


@pytest.fixture
def cursor(machine: Machine) -> Path:
    """Cursor's file, with other servers in it."""
    return put(HOSTS["cursor"], machine)
