"""What can run here, and how it is said when something cannot."""

import importlib.util
from pathlib import Path

import pytest

from inference_endpoints_local import catalogue
from inference_endpoints_local.catalogue import NotRunnable, Worker, resolve


def test_a_shipped_model_serves_its_first_task_by_default() -> None:
    runnable = resolve("sentence-transformers/all-MiniLM-L6-v2")
    assert (runnable.task, runnable.model.worker) == ("feature-extraction", Worker.EMBED)
    assert resolve("sentence-transformers/all-minilm-l6-v2", "sentence-similarity").task == "sentence-similarity"


def test_an_unknown_model_is_refused_with_the_list_of_what_runs() -> None:
    with pytest.raises(NotRunnable) as refusal:
        resolve("meta-llama/Llama-3.1-8B-Instruct")
    for model in catalogue.MODELS:
        assert model.repository in str(refusal.value)


def test_a_task_the_model_does_not_serve_is_refused_with_those_it_does() -> None:
    with pytest.raises(NotRunnable, match="it serves text-generation"):
        resolve("HuggingFaceTB/SmolLM2-135M-Instruct", "text-to-image")


@pytest.mark.parametrize("spelling", [str, Path.as_uri])
def test_a_gguf_file_of_this_machine_is_a_chat_model(tmp_path: Path, spelling: type) -> None:
    path = tmp_path / "my model.gguf"
    path.write_bytes(b"GGUF" + bytes(60))
    runnable = resolve(spelling(path), "text-generation")
    assert runnable.model.worker is Worker.CHAT
    assert runnable.files(tmp_path) == {"gguf": path}


@pytest.mark.parametrize(("content", "complaint"), [(b"PK\x03\x04", "not a GGUF file"), (None, "There is no file")])
def test_a_path_that_is_no_gguf_file_is_refused(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "model.gguf"
    if content:
        path.write_bytes(content)
    with pytest.raises(NotRunnable, match=complaint):
        resolve(str(path))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="There is no file"):
        resolve(str(tmp_path))


def test_a_missing_package_of_the_local_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [catalogue.missing_engine(worker) for worker in Worker] == [None, None, None]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert catalogue.missing_engine(Worker.CLASSIFY) == "fasttext-predict"
