"""Attacks by whoever delivers weights: a package index, or the Hub."""

import hashlib
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.inference_endpoints_local.models.conftest import MakeArtifact
from tests.inference_endpoints_local.models.conftest import make_artifact as make_artifact

from inference_endpoints_local.models import catalogue, download
from inference_endpoints_local.models.artifacts import HubRevision, WeightsError
from inference_endpoints_local.models.weights import fetch_if_missing

RANDOM = b"".join(hashlib.sha512(bytes([number % 256, number // 256])).digest() for number in range(2**16))
"""4 MB that no archive makes smaller."""


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.suffix != ".lock")


def test_a_package_above_its_pinned_size_is_not_even_written_whole(
    make_artifact: MakeArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = make_artifact(content=b"weights")
    make_artifact(content=RANDOM)
    largest = 0
    measuring = download._size_of_wheels  # noqa: SLF001

    def measured(folder: Path) -> int:
        nonlocal largest
        largest = max(largest, measuring(folder))
        return largest

    monkeypatch.setattr(download, "_size_of_wheels", measured)
    with pytest.raises(WeightsError, match="larger than the one pinned"):
        fetch_if_missing(pinned, tmp_path / "cache")
    assert largest <= download.SMALLEST_LIMIT_BYTES
    assert files_in(tmp_path / "cache") == []


def test_an_archive_that_unpacks_to_more_than_its_pinned_size_is_read_no_further(
    make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    bomb = make_artifact(content=bytes(300_000_000))
    pinned = replace(bomb, files=(replace(bomb.files[0], size=7),))
    with pytest.raises(WeightsError, match="is not the file pinned"):
        fetch_if_missing(pinned, tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_a_file_of_the_hub_is_read_up_to_its_pinned_size(
    make_artifact: MakeArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = replace(make_artifact(), hub=HubRevision("acme/tiny", "c" * 40))
    shutil.rmtree(tmp_path / "index")
    read = 0

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            nonlocal read
            read += size
            return bytes(size)

    def opened(url: str, timeout: float) -> Any:
        return Endless()

    monkeypatch.setattr(download, "https_opener", lambda: SimpleNamespace(open=opened))
    with pytest.raises(WeightsError, match="is not the file pinned"):
        fetch_if_missing(artifact, tmp_path / "cache")
    assert read <= 2 * download.BLOCK_BYTES


def test_every_shipped_weight_is_pinned_by_hash_size_version_and_commit() -> None:
    for model in catalogue.shipped_models():
        assert model.artifacts
        for artifact in model.artifacts:
            assert re.fullmatch(r"[\w-]+==[\d.]+", artifact.wheel.requirement)
            if artifact.hub:
                assert re.fullmatch(r"[0-9a-f]{40}", artifact.hub.revision)
            for file in artifact.files:
                assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
                assert file.size > 0
