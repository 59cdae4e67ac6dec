"""The routes of a model that ranks texts by a query, whatever its scores are."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference_endpoints_local.workers.worker_http import read_json, texts, unprocessable

Score = Callable[[Request, str, list[str]], Awaitable[list[float]]]
"""The score of each text for a query. It counts the tokens in `request.state.prompt_tokens`."""


class RankingRoutes:
    """The routes. The scores are the model's own."""

    def __init__(self, score: Score, model: str) -> None:
        self._score = score
        self._model = model

    async def rank(self, request: Request) -> Response:
        """`{"query", "texts"}` to index and score of each text, the best first (TEI's `/rerank`)."""
        body = await read_json(request)
        documents = texts(body.get("texts"), "texts")
        scores = await self._scores(request, body, documents)
        with_text = bool(body.get("return_text"))
        return JSONResponse(
            [
                {"index": at, "score": scores[at]} | ({"text": documents[at]} if with_text else {})
                for at in _best_first(scores)
            ]
        )

    async def jina_rank(self, request: Request) -> Response:
        """`POST /v1/rerank`: `{"query", "documents", "top_n"}`, as Jina, vLLM and llama.cpp serve it."""
        body = await read_json(request)
        documents = texts(body.get("documents"), "documents")
        top = len(documents) if body.get("top_n") is None else body["top_n"]
        if type(top) is not int or top < 1:
            raise unprocessable("`top_n` must be a whole number of at least 1", "top_n")
        scores = await self._scores(request, body, documents)
        results = [
            {"index": at, "relevance_score": scores[at], "document": {"text": documents[at]}}
            for at in _best_first(scores)[:top]
        ]
        return JSONResponse(
            {"model": self._model, "results": results, "usage": {"total_tokens": request.state.prompt_tokens}}
        )

    async def _scores(self, request: Request, body: dict[str, Any], documents: list[str]) -> list[float]:
        query = body.get("query")
        if not isinstance(query, str) or not query:
            raise unprocessable("`query` must be a non-empty string", "query")
        return await self._score(request, query, documents)


def _best_first(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda at: -scores[at])
