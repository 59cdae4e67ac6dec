"""Embeddings by a GGUF file with the weights of all-MiniLM-L6-v2: they are those of the shipped model."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI
from tests.inference_endpoints_local.workers.llamacpp.conftest import serving
from tests.support.planes import gguf_files

pytestmark = pytest.mark.models

TEXTS = [f"Sentence {number} about {'cats' if number % 2 else 'money'}." for number in range(40)]


def test_vectors_are_those_of_the_same_weights_in_the_order_of_the_texts(embedding: Any, embed_worker: Any) -> None:
    _, own = embedding.post("/", {"inputs": TEXTS})
    _, shipped = embed_worker.post("/", {"inputs": TEXTS})
    np.testing.assert_allclose(np.sum(np.array(own) * np.array(shipped), axis=1), 1, atol=1e-4)
    for path in ("/predict", "/embed"):
        assert embedding.post(path, {"inputs": TEXTS})[1] == own


def test_a_file_that_names_no_pooling_gives_the_mean_of_its_tokens(
    folder: Path, embedding: Any, embed_worker: Any
) -> None:
    for worker in serving(gguf_files.embeddings(folder / "unpooled.gguf", pooling=None)):
        _, own = worker.post("/", {"inputs": TEXTS[:2]})
        _, pooled = embedding.post("/", {"inputs": TEXTS[:2]})
    np.testing.assert_allclose(own, pooled, atol=1e-6)


def test_the_first_token_is_the_vector_where_the_file_says_so(folder: Path, embedding: Any) -> None:
    for worker in serving(gguf_files.embeddings(folder / "first.gguf", pooling=gguf.PoolingType.CLS)):
        _, own = worker.post("/", {"inputs": TEXTS[0]})
        _, mean = embedding.post("/", {"inputs": TEXTS[0]})
    assert float(np.dot(own[0], mean[0])) < 0.99


def test_clients_get_the_same_vectors_and_similarities(embedding: Any) -> None:
    hub = InferenceClient(model=embedding.url, token=embedding.secret)
    vectors = hub.feature_extraction("A man is eating food.")
    openai = OpenAI(base_url=f"{embedding.url}/v1", api_key=embedding.secret)
    answer = openai.embeddings.create(model="own", input=["A man is eating food."], dimensions=8)
    np.testing.assert_allclose(answer.data[0].embedding, vectors[0, :8] / np.linalg.norm(vectors[0, :8]), atol=1e-5)
    assert answer.usage.prompt_tokens == 8
    assert np.linalg.norm(hub.feature_extraction("A man.", normalize=False)) != pytest.approx(1, abs=0.01)
    asked = {
        "inputs": {"source_sentence": "A man is eating food.", "sentences": ["Someone has a meal.", "Stocks fell."]}
    }
    _, (near, far) = embedding.post("/similarity", asked)
    assert near > 0.5 > far


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/", {"inputs": "cat " * 600}, 413, "longer than this model takes"),
        ("/v1/embeddings", {"input": "cat " * 5_000}, 413, "longer than this model takes"),
        ("/", {"inputs": ["a"] * 1_025}, 413, "at most 1024 texts"),
        ("/", {"inputs": "a", "truncate": True}, 422, "`truncate`"),
        ("/", {"inputs": "a", "prompt_name": "query"}, 422, "`prompt_name`"),
        ("/", {"inputs": []}, 422, "`inputs`"),
        ("/v1/embeddings", {"input": "a", "dimensions": 385}, 422, "from 1 to 384"),
        ("/v1/chat/completions", {"messages": []}, 404, "serves /, /embed"),
        ("/rerank", {"query": "a", "texts": ["b"]}, 404, "serves /, /embed"),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_change(
    embedding: Any, path: str, body: Any, status: int, says: str
) -> None:
    answered, answer = embedding.post(path, body)
    assert (answered, says in str(answer)) == (status, True)
