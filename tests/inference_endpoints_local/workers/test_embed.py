"""The embedding worker with its real model: vectors, similarity, zero-shot classification."""

from typing import Any

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI

pytestmark = pytest.mark.models

MEAL, PARAPHRASE, UNRELATED = "A man is eating food.", "Someone has a meal.", "The stock market fell."


@pytest.fixture(scope="session")
def hub(embed_worker: Any) -> InferenceClient:
    return InferenceClient(model=embed_worker.url, token=embed_worker.secret)


def test_the_vector_is_that_of_sentence_transformers(hub: InferenceClient) -> None:
    # From the model card's own example.
    published = [6.76569119e-02, 6.34959713e-02, 4.87131380e-02, 7.93049857e-02, 3.74480933e-02]
    vector = hub.feature_extraction("This is an example sentence")
    assert vector.shape == (1, 384)
    np.testing.assert_allclose(vector[0, :5], published, atol=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_a_paraphrase_is_nearer_than_an_unrelated_sentence(similarity_worker: Any) -> None:
    hub = InferenceClient(model=similarity_worker.url, token=similarity_worker.secret)
    near, far = hub.sentence_similarity(MEAL, other_sentences=[PARAPHRASE, UNRELATED])
    assert near > 0.5 > far


def test_a_batch_gives_what_each_text_gives_alone_in_the_order_sent(embed_worker: Any) -> None:
    sent = [UNRELATED * n for n in range(12, 0, -1)]
    _, together = embed_worker.post("/embed", {"inputs": sent})
    alone = [embed_worker.post("/embed", {"inputs": text})[1][0] for text in sent]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_long_text_is_cut_on_the_requested_side_or_refused(embed_worker: Any) -> None:
    start, end = "cat " * 254, "dog " * 254
    _, expected = embed_worker.post("/", {"inputs": [start, end]})
    for side, vector in zip(("Right", "Left"), expected, strict=True):
        _, cut = embed_worker.post("/", {"inputs": start + end, "truncation_direction": side})
        np.testing.assert_allclose(cut[0], vector, atol=1e-5)
    status, answer = embed_worker.post("/", {"inputs": start + end, "truncate": False})
    assert (status, "A text of 510 tokens" in answer["error"]) == (413, True)


def test_vectors_can_be_shortened_or_left_unnormalised(hub: InferenceClient) -> None:
    short = hub.feature_extraction(MEAL, dimensions=8)
    assert short.shape == (1, 8)
    assert np.linalg.norm(short) == pytest.approx(1)
    assert np.linalg.norm(hub.feature_extraction(MEAL, normalize=False)) != pytest.approx(1, abs=0.01)


def test_openai_reads_floats_and_base64_alike_with_usage(embed_worker: Any) -> None:
    openai = OpenAI(base_url=f"{embed_worker.url}/v1", api_key=embed_worker.secret)
    plain = openai.embeddings.create(model="any", input=[MEAL, UNRELATED], encoding_format="float")
    packed = openai.embeddings.create(model="any", input=[MEAL, UNRELATED])  # requests base64
    np.testing.assert_allclose([d.embedding for d in plain.data], [d.embedding for d in packed.data], atol=1e-7)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens == 15


def test_texts_are_ranked_by_how_near_they_are_to_the_query(embed_worker: Any) -> None:
    texts = [UNRELATED, PARAPHRASE, "Cats sleep."]
    status, ranked = embed_worker.post("/rerank", {"query": MEAL, "texts": texts, "return_text": True})
    assert status == 200
    assert (ranked[0]["index"], ranked[0]["text"]) == (1, PARAPHRASE)
    assert [rank["score"] for rank in ranked] == sorted((rank["score"] for rank in ranked), reverse=True)
    _, best = embed_worker.post("/v1/rerank", {"query": MEAL, "documents": texts, "top_n": 1})
    (result,) = best["results"]
    assert (result["index"], result["document"]["text"]) == (1, PARAPHRASE)
    assert result["relevance_score"] == pytest.approx(ranked[0]["score"])


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/", {"inputs": 5}, "`inputs` must be"),
        ("/", {"inputs": []}, "`inputs` must be"),
        ("/", {"inputs": "a", "dimensions": 385}, "from 1 to 384"),
        ("/", {"inputs": "a", "dimensions": 0}, "from 1 to 384"),
        ("/v1/embeddings", {"input": ["a", "\ud83d"]}, "`input.1` contains half of a surrogate pair"),
        ("/similarity", {"inputs": "a"}, "`source_sentence` and `sentences`"),
        ("/rerank", {"texts": ["a"]}, "`query` must be"),
        ("/v1/rerank", {"query": "a", "documents": ["b"], "top_n": 0}, "`top_n` must be"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, "float or base64"),
    ],
)
def test_bad_input_is_refused_with_a_reason(embed_worker: Any, path: str, body: Any, complaint: str) -> None:
    status, answer = embed_worker.post(path, body)
    assert status == 422
    assert complaint in str(answer["error"])


def test_zero_shot_ranks_the_fitting_label_first_and_scores_sum_to_one(zero_shot_worker: Any) -> None:
    hub = InferenceClient(model=zero_shot_worker.url, token=zero_shot_worker.secret)
    ranked = hub.zero_shot_classification("The striker scored twice in the final.", ["politics", "sports", "cooking"])
    assert ranked[0].label == "sports"
    assert sum(element.score for element in ranked) == pytest.approx(1)


def test_labels_in_one_text_between_commas_are_several_labels(zero_shot_worker: Any) -> None:
    body = {"inputs": "football", "parameters": {"candidate_labels": "sports, cooking"}}
    assert [label["label"] for label in zero_shot_worker.post("/", body)[1]] == ["sports", "cooking"]


def test_zero_shot_with_several_true_labels_scores_each_by_itself(zero_shot_worker: Any) -> None:
    hub = InferenceClient(model=zero_shot_worker.url, token=zero_shot_worker.secret)
    text, labels = "Our football team won the match.", ["sports", "football", "cooking"]
    scores = {each.label: each.score for each in hub.zero_shot_classification(text, labels, multi_label=True)}
    assert min(scores["sports"], scores["football"]) > 0.5 > scores["cooking"]
