"""What can run on this machine, and the errors for what cannot."""

import importlib.util
import struct
from pathlib import Path

import pytest

from inference_endpoints_local.models import catalogue
from inference_endpoints_local.models.catalogue import resolve_model
from inference_endpoints_local.models.local_model import NotRunnable, WorkerKind, missing_package
from inference_endpoints_local.models.model_files import ModelFile


def test_a_shipped_model_serves_its_first_task_by_default() -> None:
    runnable = resolve_model("sentence-transformers/all-MiniLM-L6-v2")
    assert (runnable.task, runnable.model.worker) == ("feature-extraction", WorkerKind.EMBED)
    assert resolve_model("sentence-transformers/all-minilm-l6-v2", "sentence-similarity").task == "sentence-similarity"


def test_an_unknown_model_is_refused_with_the_list_of_what_runs() -> None:
    with pytest.raises(NotRunnable) as refusal:
        resolve_model("meta-llama/Llama-3.1-8B-Instruct")
    for model in catalogue.shipped_models():
        assert model.repository in str(refusal.value)


def test_a_task_the_model_does_not_serve_is_refused_with_those_it_does() -> None:
    with pytest.raises(NotRunnable, match="it serves text-generation"):
        resolve_model("HuggingFaceTB/SmolLM2-135M-Instruct", "text-to-image")


def gguf(
    version: int = 3,
    tensors: int = 1,
    after: int = 32,
    texts: dict[str, str] | None = None,
    pooling: int = 0,
    numbers: dict[str, int] | None = None,
) -> bytes:
    """A file with one setting of every shape, and tensors of which the last begins `after` bytes before its end."""

    def text(words: bytes) -> bytes:
        return struct.pack("<Q", len(words)) + words

    settings = [
        text(b"general.alignment") + struct.pack("<II", 4, 64),
        text(b"general.name") + struct.pack("<I", 8) + text(b"tiny"),
        text(b"words") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b"),
        text(b"qwen3.pooling_type") + struct.pack("<II", 4, pooling),
        *(text(name.encode()) + struct.pack("<I", 8) + text(value.encode()) for name, value in (texts or {}).items()),
        *(text(name.encode()) + struct.pack("<II", 4, value) for name, value in (numbers or {}).items()),
        text(b"scores") + struct.pack("<IIQff", 9, 6, 2, 0.5, float("inf")),
    ]
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, len(settings)) + b"".join(settings)
    for number in range(tensors):
        head += text(b"weight") + struct.pack("<IQIQ", 1, 8, 0, 64 * number)
    return head + bytes(-len(head) % 64) + bytes(64 * max(0, tensors - 1) + after)


@pytest.mark.parametrize("spelling", [str, Path.as_uri])
def test_a_gguf_file_on_this_machine_is_a_chat_model(tmp_path: Path, spelling: type) -> None:
    path = tmp_path / "my model.gguf"
    path.write_bytes(gguf())
    runnable = resolve_model(spelling(path), "text-generation")
    assert runnable.model.worker is WorkerKind.CHAT
    opened = runnable.files(tmp_path)["gguf"]
    assert isinstance(opened, ModelFile)
    with opened:
        assert opened.path.samefile(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "is no model file that can be opened here"),
        (b"", "not a GGUF file"),
        (b"PK\x03\x04", "not a GGUF file"),
        (gguf()[:20], "cut off"),
        (gguf()[:100], "cut off"),
        (gguf(tensors=3, after=0), "cut off"),
        (gguf(tensors=0), "no tensors"),
        (gguf(version=9), "GGUF version 9"),
        (gguf(texts={"general.architecture": "clip"}), "a projector that sees no images"),
        (gguf(texts={"general.architecture": "llada"}), "writes by diffusion"),
        (gguf(texts={"general.architecture": "flux"}), "makes images"),
        (gguf(numbers={"split.count": 3}), "one of 3 parts"),
        (gguf(texts={"general.type": "adapter", "general.architecture": "llama"}), "LoRA"),
    ],
)
def test_a_path_that_is_no_whole_gguf_model_is_refused_with_what_is_wrong(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotRunnable, match=complaint):
        resolve_model(str(path))


@pytest.mark.parametrize(
    "rest",
    [
        struct.pack("<QQQ", 1, 1, 2**60),
        struct.pack("<QQ", 1, 2**60),
        struct.pack("<QQ", 2**60, 0),
        struct.pack("<QQ", 1, 1) + struct.pack("<Q", 6) + b"tokens" + struct.pack("<IIQ", 9, 8, 2**60),
        struct.pack("<QQ", 1, 1) + struct.pack("<Q", 6) + b"scores" + struct.pack("<IIQ", 9, 6, 2**60),
    ],
)
def test_a_hostile_file_of_gigabytes_without_content_is_refused_at_once(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "model.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<I", 3) + rest)
        file.truncate(2**36)
    with pytest.raises(NotRunnable, match=r"cut off|damaged"):
        resolve_model(str(path))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="is no model file that can be opened here"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("repository", ["HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M-Instruct", "smollm2", ""])
def test_a_model_is_found_by_its_whole_name_alone(repository: str) -> None:
    with pytest.raises(NotRunnable, match="cannot run on this machine"):
        resolve_model(repository)


def test_a_missing_package_of_the_local_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(missing_package(worker) for worker in WorkerKind if worker.extra == "local")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert missing_package(WorkerKind.CLASSIFY) == "fasttext-predict"
    assert catalogue.installed_models() == []
