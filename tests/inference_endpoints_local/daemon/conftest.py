from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A data folder that does not exist yet. At the end every process for it is killed."""
    machine = Machine(tmp_path / "data")
    yield machine
    machine.clear()
