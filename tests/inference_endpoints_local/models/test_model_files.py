"""Which paths lead to an open model file. What attackers try is in `tests/attacks/test_model_files.py`."""

import os
from pathlib import Path

import pytest

from inference_endpoints_local.models.model_files import ModelFolders, NoModelFile


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "real" / "inner" / "model.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    return path


def test_a_folder_that_is_a_link_itself_is_followed_under_both_of_its_names(tmp_path: Path, model: Path) -> None:
    (tmp_path / "spelled").symlink_to(tmp_path / "real")
    folders = ModelFolders.of((tmp_path / "spelled",))
    for root in ("spelled", "real"):
        with folders.open(tmp_path / root / "inner" / "model.gguf") as file:
            assert (file.read(100, 0), file.size) == (b"content", 7)


def test_without_folders_every_regular_file_may_be_opened(model: Path) -> None:
    ModelFolders.of(()).open(model).close()


@pytest.mark.parametrize("path", ["", "..", "absent", "inner", "link", "../real/inner/model.gguf", "pipe", "\0"])
def test_every_other_path_is_as_if_nothing_were_there(tmp_path: Path, model: Path, path: str) -> None:
    (tmp_path / "real" / "link").symlink_to(model)
    os.mkfifo(tmp_path / "real" / "pipe")
    with pytest.raises(NoModelFile):
        ModelFolders.of((tmp_path / "real",)).open(tmp_path / "real" / path)


def test_a_file_stays_readable_when_its_path_is_gone_until_it_is_closed(tmp_path: Path, model: Path) -> None:
    with ModelFolders.of((tmp_path,)).open(model) as file:
        model.unlink()
        assert file.path.read_bytes() == b"content"
    assert not file.path.exists()
