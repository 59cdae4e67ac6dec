"""Read classes with scores, and ranks: each list best first."""

from typing import Any

from inference_endpoints.inference.tasks.outputs import Label, Rank, keep_extra
from inference_endpoints.inference.tasks.readers import as_number, as_text, lists_of_objects, one_each, unwrap


def read_labels(payload: Any, count: int) -> list[list[Label]]:
    """`{label, score}` in lists, nested or flat; the classic `{sequence, labels, scores}`; vLLM's `{data: […]}`."""
    if isinstance(payload, dict) and "data" in payload:
        rows = sorted(one_each(payload["data"], count), key=lambda row: row.get("index", 0))
        return [[_vllm_label(row)] for row in rows]
    payload = unwrap(payload, "results", "predictions")
    return [_labels(rows) for rows in lists_of_objects(payload, count)]


def _labels(rows: list[Any]) -> list[Label]:
    if len(rows) == 1 and "labels" in rows[0]:
        pairs = zip(rows[0]["labels"], rows[0]["scores"], strict=True)
        labels = [Label(as_text(label), as_number(score)) for label, score in pairs]
    else:
        labels = [keep_extra(Label(as_text(row["label"]), as_number(row["score"])), row) for row in rows]
    return sorted(labels, key=lambda label: label.score, reverse=True)


def _vllm_label(row: Any) -> Label:
    """A class with the probabilities of all, of which the largest is its own."""
    return keep_extra(Label(as_text(row["label"]), as_number(max(row["probs"]))), row, {"index"})


def read_classes(payload: Any, count: int) -> list[list[Any]]:
    """The class of each row of a table: a name or a number."""
    rows = unwrap(payload, "predictions", "results")
    known = isinstance(rows, list) and all(isinstance(row, str | int | float) for row in rows)
    if not known or any(isinstance(row, bool) for row in rows):
        raise TypeError("not the classes of rows")
    return one_each([rows], count)


def read_ranks(payload: Any, count: int) -> list[list[Rank]]:
    """TEI's `[{index, score}]`, hf-serve's `{scores: […]}`, and `{results: [{index, relevance_score}]}` of Jina's API,
    which vLLM and llama.cpp serve."""
    rows = unwrap(payload, "results", "scores", "data")
    ranks = [_rank(row, place) for place, row in enumerate(rows)]
    return one_each([sorted(ranks, key=lambda rank: rank.score, reverse=True)], count)


def _rank(row: Any, place: int) -> Rank:
    if not isinstance(row, dict):  # a bare score for each text, in their order
        return Rank(place, as_number(row))
    score = row["relevance_score"] if "relevance_score" in row else row["score"]
    text = unwrap(row.get("document"), "text") or row.get("text")
    index = int(row["index"] if "index" in row else row.get("corpus_id", place))
    rank = Rank(index, as_number(score), None if text is None else str(text))
    return keep_extra(rank, row, {"relevance_score", "corpus_id", "document"})
