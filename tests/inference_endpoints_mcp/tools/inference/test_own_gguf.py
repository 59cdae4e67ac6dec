"""GGUF files on this machine, deployed and called through the tools: each is what its header says."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints_local.workers.llamacpp.test_images import RED, png
from tests.support.hosts.host import Host, parts_of
from tests.support.planes import gguf_files
from tests.support.planes.plane_driver import Driver

pytestmark = [pytest.mark.anyio, pytest.mark.models]


@pytest.fixture
async def driver(models: Driver) -> Driver:
    return models


async def deploy(modern: Host, driver: Driver, path: Path) -> dict[str, Any]:
    """An endpoint with that file. Returns what is said of it once it runs."""
    await modern.call("create_endpoint", endpoint_name="own", repository=str(path))
    await driver.reach("own", "running")
    return await modern.call("get_endpoint", endpoint_name="own")


async def test_embeddings(driver: Driver, modern: Host, tmp_path: Path) -> None:
    path = gguf_files.embeddings(tmp_path / "embed.gguf")
    assert (await deploy(modern, driver, path))["task"] == "feature-extraction"
    facts = await modern.call("call_endpoint", endpoint_name="own", texts=["a cat", "a kitten"])
    assert (facts["vectors"], facts["dimensions"]) == (2, 384)


async def test_ranks(driver: Driver, modern: Host, tmp_path: Path) -> None:
    told = await deploy(modern, driver, gguf_files.reranker(tmp_path / "rank.gguf"))
    assert told["task"] == "text-ranking"
    example = told["example"]
    facts = await modern.call(example["tool"], **example["arguments"])
    ranked = [json.loads(line) for line in facts["output"].splitlines()[1:-1]]
    assert {each["index"] for each in ranked} == {0, 1}
    assert ranked[0]["score"] > ranked[1]["score"]


async def test_images(driver: Driver, modern: Host, tmp_path: Path) -> None:
    path = tmp_path / "chat.gguf"
    path.write_bytes(gguf_files.shipped_file("HuggingFaceTB/SmolLM2-135M-Instruct", "gguf").read_bytes())
    gguf_files.projector(tmp_path / "mmproj-chat.gguf")
    assert (await deploy(modern, driver, path))["task"] == "image-text-to-text"
    uri = f"data:image/png;base64,{base64.b64encode(png(RED)).decode()}"
    question: dict[str, Any] = {"type": "text", "text": "What is this?"}
    asked = {"endpoint_name": "own", "max_tokens": 8}
    blind = await modern.call("chat_with_endpoint", messages=[{"role": "user", "content": [question]}], **asked)
    image = {"type": "image_url", "image_url": {"url": uri}}
    seeing = await modern.call("chat_with_endpoint", messages=[{"role": "user", "content": [image, question]}], **asked)
    assert seeing["prompt_tokens"] == blind["prompt_tokens"] + 4
    facts = await modern.call("call_endpoint", endpoint_name="own", inputs=[{"text": "What is this?", "image": uri}])
    assert facts["output"].splitlines()[1].strip()


async def refusal(modern: Host, **asked: Any) -> str:
    """The reason that the plane gives."""
    refused = await modern.send("create_endpoint", **asked)
    assert refused.is_error
    return "".join(parts_of(refused))


async def test_a_task_that_a_file_cannot_do_is_refused_before_anything_is_created(
    driver: Driver, modern: Host, tmp_path: Path
) -> None:
    path = gguf_files.embeddings(tmp_path / "embed.gguf")
    for task in ("text-generation", "text-ranking", "image-text-to-text"):
        asked = {"endpoint_name": "own", "repository": str(path), "task": task}
        assert "it serves feature-extraction, sentence-similarity" in await refusal(modern, **asked)
    projector = gguf_files.projector(tmp_path / "mmproj.gguf")
    asked = {"endpoint_name": "own", "repository": str(projector)}
    assert "Deploy the model it belongs to" in await refusal(modern, **asked)
    assert (await modern.call("list_endpoints"))["endpoints"] == []
