"""Ranks by a GGUF file whose head scores a pair by the first component of its vector."""

from typing import Any

import pytest

pytestmark = pytest.mark.models

QUERY = "what is a panda?"
TEXTS = [f"Text {number} is about {'bears' if number % 3 else 'banks'}." for number in range(40)]


def test_texts_come_best_first_with_the_same_scores_on_every_route(ranking: Any) -> None:
    _, ranked = ranking.post("/rerank", {"query": QUERY, "texts": TEXTS, "return_text": True})
    assert sorted(each["index"] for each in ranked) == list(range(40))
    assert [each["text"] for each in ranked] == [TEXTS[each["index"]] for each in ranked]
    scores = [each["score"] for each in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 30
    _, alone = ranking.post("/", {"query": QUERY, "texts": [TEXTS[ranked[0]["index"]]]})
    assert alone[0]["score"] == pytest.approx(scores[0], abs=1e-5)
    _, top = ranking.post("/v1/rerank", {"query": QUERY, "documents": TEXTS, "top_n": 3})
    assert [each["index"] for each in top["results"]] == [each["index"] for each in ranked[:3]]
    assert top["results"][0]["relevance_score"] == pytest.approx(scores[0], abs=1e-5)
    assert top["usage"]["total_tokens"] > 40 * 10


def test_the_query_changes_the_scores(ranking: Any) -> None:
    first, second = (
        ranking.post("/rerank", {"query": query, "texts": TEXTS[:2]})[1][0]["score"] for query in (QUERY, "money")
    )
    assert first != pytest.approx(second, abs=1e-3)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/rerank", {"query": "", "texts": ["a"]}, 422, "`query`"),
        ("/rerank", {"query": "a", "texts": []}, 422, "`texts`"),
        ("/v1/rerank", {"query": "a", "documents": ["b"], "top_n": 0}, 422, "`top_n`"),
        ("/rerank", {"query": "a", "texts": ["cat " * 600]}, 413, "longer than this model takes"),
        ("/embed", {"inputs": "a"}, 404, "serves /, /predict"),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_change(
    ranking: Any, path: str, body: Any, status: int, says: str
) -> None:
    answered, answer = ranking.post(path, body)
    assert (answered, says in str(answer)) == (status, True)
