"""What this machine can run, decided when an endpoint is created."""

from pathlib import Path

import pytest
from tests.inference_endpoints_local.models.test_catalogue import gguf
from tests.support.planes.plane_driver import PlaneOf

from inference_endpoints_local.engines.programs import from_catalogue

pytestmark = pytest.mark.anyio


async def test_a_model_that_cannot_run_here_is_refused_with_those_that_can(plane_of: PlaneOf) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        answer = await driver.create_local(model={"repository": "meta-llama/Llama-3.1-70B"})
        assert answer.status == 400
        assert "HuggingFaceTB/SmolLM2-135M-Instruct" in answer.body["error"]


async def test_a_missing_package_is_refused_with_the_way_to_install_it(
    plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints_local.engines.programs.missing_package", lambda _: "xllamacpp")
    async with plane_of(programs=from_catalogue) as driver:
        answer = await driver.create_local(model={"repository": "HuggingFaceTB/SmolLM2-135M-Instruct"})
        assert answer.status == 400
        assert "pip install 'inference-endpoints-mcp[local]'" in answer.body["error"]
        container = {"vLLM": {"url": "vllm/vllm-openai"}}
        answer = await driver.create_local(model={"image": container})
        assert answer.status == 400
        assert "no container runs on this machine" in answer.body["error"]


@pytest.mark.parametrize(
    ("repository", "status"),
    [("HuggingFaceTB/SmolLM2-135M-Instruct", 200), ("sentence-transformers/all-MiniLM-L6-v2", 400)],
)
async def test_a_gguf_file_that_the_model_does_not_have_is_refused(
    plane_of: PlaneOf, repository: str, status: int
) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        image = {"llamacpp": {"url": "x", "modelPath": "other.gguf"}}
        answer = await driver.create_local(model={"repository": repository, "image": image})
        assert answer.status == 400
        assert "model.image.llamacpp.modelPath" in answer.body["error"]
        image["llamacpp"]["modelPath"] = "SmolLM2-135M-Instruct.Q4_1.gguf"
        assert (await driver.create_local(model={"repository": repository, "image": image})).status == status


@pytest.mark.parametrize(
    ("pooling", "settings", "says"),
    [
        (0, {}, ""),
        (0, {"mode": "embeddings"}, "serves text-generation, and not embeddings. Leave it out."),
        (1, {"mode": "embeddings"}, ""),
        (1, {"mode": "reranking"}, "and not reranking. Leave it out or set it to embeddings."),
        (4, {"mode": "reranking"}, ""),
        (0, {"mmprojModelPath": "none.gguf"}, "no model file that can be opened"),
        (1, {"mmprojModelPath": "own.gguf"}, "writes no text"),
    ],
)
async def test_settings_of_llama_cpp_must_be_those_of_the_file(
    plane_of: PlaneOf, tmp_path: Path, pooling: int, settings: dict[str, str], says: str
) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(gguf(pooling=pooling))
    image = {"llamacpp": {"url": "x", "modelPath": "own.gguf", **settings}}
    async with plane_of(programs=from_catalogue) as driver:
        answer = await driver.create_local(model={"repository": str(path), "image": image})
    assert answer.status == (400 if says else 200), answer.body
    assert says in str(answer.body)
