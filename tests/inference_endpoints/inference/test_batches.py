"""Batches larger than Text Embeddings Inference takes in one request."""

from typing import Any

import pytest
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient
from inference_endpoints.models import Endpoint

pytestmark = pytest.mark.anyio

TEXTS = [f"text {number}" for number in range(40)]


def refused(size: int, limit: int) -> Answer:
    message = f"batch size {size} > maximum allowed batch size {limit}"
    return Answer(413, {"message": message, "code": 413, "type": "Validation"})


def vectors(start: int, end: int) -> Answer:
    return Answer(body=[[float(number)] for number in range(start, end)])


def sizes(upstream: Upstream, key: str = "inputs") -> list[int]:
    return [len(seen.json[key]) for seen in upstream.calls()]


async def test_a_large_batch_is_split_and_its_vectors_are_in_the_order_of_the_texts(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.runs("tei")
    upstream.serves("/", vectors(0, 32), vectors(32, 40))
    document = upstream.endpoint("running")
    document["model"]["image"] = {"tei": {"url": "registry.example/engine:1"}}
    client = AsyncInferenceClient(Endpoint.model_validate(document), "acme", endpoints)
    assert (await client.feature_extraction(TEXTS, normalize=True)).tolist() == [[number] for number in range(40)]
    first, second = (seen.json for seen in upstream.calls())
    assert (first["inputs"], second["inputs"]) == (TEXTS[:32], TEXTS[32:])
    assert first["normalize"] is second["normalize"] is True


@pytest.mark.parametrize(
    ("limit", "expected"), [("64", [40]), ("16", [16, 16, 8]), ("0", [32, 8]), ("many", [32, 8]), ("", [32, 8])]
)
async def test_the_limit_is_that_of_the_endpoints_environment(
    upstream: Upstream, inference: AsyncInference, limit: str, expected: list[int]
) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": limit})
    starts = [sum(expected[:part]) for part in range(len(expected))]
    upstream.serves("/embed", *(vectors(start, start + size) for start, size in zip(starts, expected, strict=True)))
    response = await inference.call("chat", path="/embed", body={"inputs": TEXTS})
    assert response.json() == [[float(number)] for number in range(40)]
    assert sizes(upstream) == expected


@pytest.mark.parametrize("engine", ["tei", "custom"])
async def test_a_limit_that_a_refusal_names_is_learned(
    upstream: Upstream, inference: AsyncInference, engine: str
) -> None:
    parts = [vectors(0, 20), vectors(20, 34)]
    upstream.runs(engine, {"MAX_CLIENT_BATCH_SIZE": "34"} if engine == "tei" else {})
    upstream.serves("/", refused(34, 20), *parts, *parts)
    for _ in range(2):
        response = await inference.call("chat", body={"inputs": TEXTS[:34]})
        assert response.json() == [[float(number)] for number in range(34)]
    assert sizes(upstream) == [34, 20, 14, 20, 14]


async def test_a_refusal_that_splitting_does_not_help_is_an_error(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("tei")
    upstream.serves("/", refused(8, 8))
    with pytest.raises(BadRequest, match="too large"):
        await inference.call("chat", body={"inputs": TEXTS})
    assert sizes(upstream) == [32, 8]


async def test_the_ranks_of_a_large_batch_are_sorted_and_count_from_its_first_text(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "2"})
    first = [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]
    upstream.serves("/rerank", Answer(body=first), Answer(body=[{"index": 0, "score": 0.5, "text": "c"}]))
    response = await inference.call("chat", path="/rerank", body={"query": "q", "texts": ["a", "b", "c"]})
    assert response.json() == [
        {"index": 1, "score": 0.9},
        {"index": 2, "score": 0.5, "text": "c"},
        {"index": 0, "score": 0.1},
    ]
    assert [seen.json["query"] for seen in upstream.calls()] == ["q", "q"]


async def test_the_source_sentence_counts_for_the_limit_of_similarities(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "3"})
    upstream.serves("/similarity", Answer(body=[0.1, 0.2]), Answer(body=[0.3]))
    pair = {"source_sentence": "a", "sentences": ["b", "c", "d"]}
    assert await inference.run("chat", "sentence-similarity", pair) == [0.1, 0.2, 0.3]
    assert [seen.json["inputs"]["sentences"] for seen in upstream.calls()] == [["b", "c"], ["d"]]


async def test_labels_of_a_large_batch_are_joined(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "1"})
    answers = [[[{"label": name, "score": 1.0}]] for name in "ab"]
    upstream.serves("/predict", *(Answer(body=answer) for answer in answers))
    response = await inference.call("chat", path="/predict", body={"inputs": [["x"], ["y", "z"]]})
    assert response.json() == [*answers[0], *answers[1]]
    assert [seen.json["inputs"] for seen in upstream.calls()] == [[["x"]], [["y", "z"]]]


async def test_embeddings_of_the_openai_api_are_renumbered_and_their_usage_is_added(
    upstream: Upstream, inference: AsyncInference
) -> None:
    def part(*numbers: int) -> Answer:
        rows = [{"object": "embedding", "index": index, "embedding": [n]} for index, n in enumerate(numbers)]
        usage = {"prompt_tokens": len(rows), "total_tokens": len(rows)}
        return Answer(body={"object": "list", "model": "m", "data": rows, "usage": usage})

    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "2"})
    upstream.serves("/v1/embeddings", part(7, 8), part(9))
    body = (await inference.call("chat", path="/v1/embeddings", body={"input": ["a", "b", "c"]})).json()
    assert [(row["index"], row["embedding"]) for row in body["data"]] == [(0, [7]), (1, [8]), (2, [9])]
    assert (body["model"], body["usage"]) == ("m", {"prompt_tokens": 3, "total_tokens": 3})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embed", {"inputs": [101, 102, 103]}),
        ("/predict", {"inputs": ["a", "b"]}),
        ("/", {"inputs": "a long text"}),
        ("/", ["a", "b"]),
    ],
)
async def test_one_text_is_never_split(upstream: Upstream, inference: AsyncInference, path: str, body: Any) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "1"})
    upstream.serves(path, Answer(body=[[1.0]]))
    await inference.call("chat", path=path, body=body)
    assert [seen.json for seen in upstream.calls()] == [body]


async def test_answers_that_are_no_lists_are_not_joined(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("tei", {"MAX_CLIENT_BATCH_SIZE": "1"})
    upstream.serves("/", Answer(body={"label": "a"}))
    with pytest.raises(BadRequest, match="cannot be joined"):
        await inference.call("chat", body={"inputs": ["a", "b"]})
