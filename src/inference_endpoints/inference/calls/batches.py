"""Send more texts than an engine takes at a time: split the request, and join the answers in the order of the texts.

Source of the forms: the routes of Text Embeddings Inference. For `/similarity` it counts the source sentence too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.models.json_text import parse_json


@dataclass(frozen=True)
class _Batch:
    """The texts of a body. `key` is the member that has them, `extra` how many other texts each part repeats."""

    key: str
    texts: Sequence[Any]
    extra: int = 0


def split_request(request: EngineRequest, limit: int | None) -> list[EngineRequest]:
    """The request in parts of at most `limit` texts; the request itself if it has no more, or is no batch."""
    batch = _find_batch(request)
    if batch is None or limit is None or len(batch.texts) + batch.extra <= limit:
        return [request]
    size = max(1, limit - batch.extra)
    return [
        replace(request, body=_with_texts(request.body, batch.key, batch.texts[start : start + size]))
        for start in range(0, len(batch.texts), size)
    ]


def join_answers(request: EngineRequest, answers: Sequence[bytes]) -> bytes:
    """The answer to all texts of a batch, of which `request` is a part. Raises `BadRequest` if it cannot be joined."""
    batch = _find_batch(request)
    try:
        parts = [parse_json(answer) for answer in answers]
        join = {"input": _join_openai, "texts": _join_ranks}.get(batch.key if batch else "", _join_lists)
        return json.dumps(join(parts)).encode()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadRequest(
            "The endpoint's answers to the parts of this batch cannot be joined.", hint="Send fewer texts at a time."
        ) from error


def _find_batch(request: EngineRequest) -> _Batch | None:
    body = request.body
    if not isinstance(body, dict):
        return None
    inputs = body.get("inputs")
    if isinstance(inputs, dict) and isinstance(inputs.get("sentences"), list):
        return _Batch("sentences", inputs["sentences"], extra=1)
    if "query" in body and isinstance(body.get("texts"), list):
        return _Batch("texts", body["texts"])
    # A list of numbers is one text in tokens. For `/predict`, a list of strings is one text or a pair.
    kinds = (list,) if request.path == "/predict" else (str, list)
    for key in ("inputs", "input"):
        if isinstance(body.get(key), list) and all(isinstance(item, kinds) for item in body[key]):
            return _Batch(key, body[key])
    return None


def _with_texts(body: dict[str, Any], key: str, texts: Sequence[Any]) -> dict[str, Any]:
    if key == "sentences":
        return body | {"inputs": body["inputs"] | {key: texts}}
    return body | {key: texts}


def _join_lists(parts: list[Any]) -> list[Any]:
    """The vectors, similarities or labels of all texts."""
    if not all(isinstance(part, list) for part in parts):
        raise TypeError("not a list")
    return [row for part in parts for row in part]


def _join_openai(answers: list[Any]) -> dict[str, Any]:
    rows = [row for answer in answers for row in sorted(answer["data"], key=lambda row: row["index"])]
    usages = [answer["usage"] for answer in answers if answer.get("usage")]
    usage = {"usage": {name: sum(each[name] for each in usages) for name in usages[0]}} if usages else {}
    joined: dict[str, Any] = answers[0] | {"data": [row | {"index": index} for index, row in enumerate(rows)]} | usage
    return joined


def _join_ranks(parts: list[Any]) -> list[Any]:
    """The ranks of all texts, best first."""
    ranks: list[Any] = []
    for part in parts:
        start = len(ranks)
        ranks += [rank | {"index": start + rank["index"]} for rank in part]
    return sorted(ranks, key=lambda rank: rank["score"], reverse=True)
