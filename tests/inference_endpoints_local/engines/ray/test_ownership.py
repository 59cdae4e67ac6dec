"""The key of a data folder, from which the secrets of all its replicas follow."""

import re
from pathlib import Path

import pytest

from inference_endpoints_local.engines.ray.ownership import PlaneKey


def test_the_key_is_the_same_after_a_restart_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = PlaneKey(path)
    assert PlaneKey(path).control_secret("ie-x") == first.control_secret("ie-x")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("left", ["", "0123", "not a key"])
def test_what_is_no_whole_key_is_replaced_by_one(tmp_path: Path, left: str) -> None:
    path = tmp_path / "key"
    path.write_text(left)
    PlaneKey(path)
    assert re.fullmatch("[0-9a-f]{64}", path.read_text())
