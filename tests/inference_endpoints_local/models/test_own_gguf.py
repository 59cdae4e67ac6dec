"""What a GGUF file on this machine can do, by its header alone."""

from pathlib import Path

import pytest
from tests.inference_endpoints_local.models.test_catalogue import gguf

from inference_endpoints_local.models.catalogue import resolve_model
from inference_endpoints_local.models.local_model import NotRunnable, WorkerKind

CHAT = gguf(texts={"general.architecture": "qwen3"}, numbers={"qwen3.embedding_length": 576})


def projector(width: int, sees: bool = True) -> bytes:
    numbers = {"clip.has_vision_encoder": int(sees), "clip.vision.projection_dim": width}
    return gguf(texts={"general.architecture": "clip", "general.type": "mmproj"}, numbers=numbers)


@pytest.mark.parametrize(
    ("content", "worker", "task"),
    [
        (CHAT, WorkerKind.CHAT, "text-generation"),
        (gguf(texts={"general.architecture": "bert"}), WorkerKind.EMBED_GGUF, "feature-extraction"),
        (gguf(texts={"general.architecture": "qwen3"}, pooling=3), WorkerKind.EMBED_GGUF, "feature-extraction"),
        (gguf(texts={"general.architecture": "qwen3"}, pooling=4), WorkerKind.RANK_GGUF, "text-ranking"),
        (gguf(texts={"general.architecture": "bert"}, pooling=4), WorkerKind.RANK_GGUF, "text-ranking"),
    ],
)
def test_a_file_is_what_its_header_says(tmp_path: Path, content: bytes, worker: WorkerKind, task: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    found = resolve_model(str(path))
    assert (found.model.worker, found.task) == (worker, task)
    for other in {"text-generation", "feature-extraction", "text-ranking"} - {task}:
        with pytest.raises(NotRunnable, match=f"does not serve '{other}' here; it serves {task}"):
            resolve_model(str(path), other)


@pytest.mark.parametrize("name", ["mmproj-model.gguf", "mmproj.gguf", "mmproj-F16.gguf"])
def test_a_model_sees_with_its_projector_beside_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CHAT)
    with pytest.raises(NotRunnable, match=r"it serves text-generation\. A model sees images with .*mmproj-model\.gguf"):
        resolve_model(str(path), "image-text-to-text")
    (tmp_path / name).write_bytes(projector(576))
    found = resolve_model(str(path))
    assert found.model.tasks == ("image-text-to-text", "text-generation")
    opened = found.files(tmp_path)
    assert opened.keys() == {"gguf", "mmproj"}
    for file in opened.values():
        assert not isinstance(file, Path)
        file.close()


@pytest.mark.parametrize("content", [projector(1024), b"", CHAT])
def test_a_projector_of_another_model_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CHAT)
    (tmp_path / "mmproj.gguf").write_bytes(content)
    assert resolve_model(str(path)).model.tasks == ("text-generation",)


def test_a_projector_that_is_named_is_taken_from_its_own_place_alone(tmp_path: Path) -> None:
    path = tmp_path / "models" / "model.gguf"
    path.parent.mkdir()
    path.write_bytes(CHAT)
    (path.parent / "eyes.gguf").write_bytes(projector(0))
    (tmp_path / "eyes.gguf").write_bytes(projector(0))
    assert resolve_model(str(path), projector="eyes.gguf").task == "image-text-to-text"
    for wrong, complaint in {
        "none.gguf": "no model file that can be opened",
        "../eyes.gguf": "no model file that can be opened",
        "model.gguf": "is no projector",
    }.items():
        with pytest.raises(NotRunnable, match=complaint):
            resolve_model(str(path), projector=wrong)
    path.write_bytes(gguf(texts={"general.architecture": "bert"}))
    with pytest.raises(NotRunnable, match="writes no text"):
        resolve_model(str(path), projector="eyes.gguf")


def test_a_projector_by_itself_is_refused_with_how_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(projector(576))
    with pytest.raises(NotRunnable, match="Deploy the model it belongs to, with this file beside it"):
        resolve_model(str(path))
