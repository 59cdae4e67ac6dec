"""Sentence embedding worker: vectors, similarity, ranking, and zero-shot classification by comparing vectors.

Ranking compares vectors too: it is no cross-encoder, and a score is a cosine.
Zero-shot classification uses a bi-encoder, not an entailment model: the score of a label is the similarity of its
vector to the text's, on a hand-set scale. It ranks topics well and does not handle negation.
"""

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.worker_http import (
    cancel_on_disconnect,
    parameters,
    read_json,
    record_tokens,
    texts,
    unprocessable,
)
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

if TYPE_CHECKING:
    from inference_endpoints_local.workers.bert import Floats, SentenceEncoder, TokenIds

BATCH_SIZE = 8
MAX_TEXTS = 1024
DEFAULT_HYPOTHESIS = "This is {}."
# The cosines of matching labels are around 0.28, of others around 0.06.
SCORE_SCALE = 1 / 0.07
SCORE_MIDPOINT = 0.17


class EmbeddingModel:
    """The routes of the worker. One forward pass runs at a time, on all threads of the worker."""

    def __init__(self, encoder: "SentenceEncoder", model: str) -> None:
        self._encoder = encoder
        self._model = model
        self._limiter = anyio.CapacityLimiter(1)

    async def feature_extraction(self, request: Request) -> Response:
        """`{"inputs"}` to one vector per text, also for a single one. Options are at the root of the body."""
        body = await read_json(request)
        vectors = await self._vectors(request, texts(body.get("inputs"), "inputs"), body)
        return JSONResponse(vectors.tolist())

    async def sentence_similarity(self, request: Request) -> Response:
        """`{"inputs": {"source_sentence", "sentences"}}` to one cosine per sentence."""
        inputs = (await read_json(request)).get("inputs")
        if not isinstance(inputs, dict) or not isinstance(inputs.get("source_sentence"), str):
            raise unprocessable("`inputs` must be an object with `source_sentence` and `sentences`")
        sentences = texts(inputs.get("sentences"), "inputs.sentences")
        source = texts(inputs["source_sentence"], "inputs.source_sentence")
        vectors = await self._vectors(request, source + sentences, {})
        return JSONResponse((vectors[1:] @ vectors[0]).tolist())

    async def zero_shot_classification(self, request: Request) -> Response:
        """The labels of one text by descending score; a list of such lists for a list of texts."""
        body = await read_json(request)
        inputs = texts(body.get("inputs"), "inputs")
        options = parameters(body)
        labels = _labels(options.get("candidate_labels"))
        template = options.get("hypothesis_template", DEFAULT_HYPOTHESIS)
        if not isinstance(template, str) or "{}" not in template:
            raise unprocessable("`parameters.hypothesis_template` must be a string with {} where the label goes")
        hypotheses = [template.replace("{}", label) for label in labels]
        vectors = await self._vectors(request, inputs + hypotheses, {})
        cosines = vectors[: len(inputs)] @ vectors[len(inputs) :].T
        ranked = [_rank(labels, row) for row in _scores(cosines, multi_label=bool(options.get("multi_label")))]
        return JSONResponse(ranked if isinstance(body["inputs"], list) else ranked[0])

    async def rank(self, request: Request) -> Response:
        """`{"query", "texts"}` to index and score of each text, the best first (TEI's `/rerank`)."""
        body = await read_json(request)
        documents = texts(body.get("texts"), "texts")
        scores = await self._similarities(request, body, documents)
        ranked = _best_first(scores)
        with_text = bool(body.get("return_text"))
        return JSONResponse(
            [{"index": at, "score": scores[at]} | ({"text": documents[at]} if with_text else {}) for at in ranked]
        )

    async def jina_rank(self, request: Request) -> Response:
        """`POST /v1/rerank`: `{"query", "documents", "top_n"}`, as Jina and vLLM serve it."""
        body = await read_json(request)
        documents = texts(body.get("documents"), "documents")
        scores = await self._similarities(request, body, documents)
        top = len(documents) if body.get("top_n") is None else body["top_n"]
        if type(top) is not int or top < 1:
            raise unprocessable("`top_n` must be a whole number of at least 1", "top_n")
        results = [
            {"index": at, "relevance_score": scores[at], "document": {"text": documents[at]}}
            for at in _best_first(scores)[:top]
        ]
        return JSONResponse(
            {"model": self._model, "results": results, "usage": {"total_tokens": request.state.prompt_tokens}}
        )

    async def _similarities(self, request: Request, body: dict[str, Any], documents: list[str]) -> list[float]:
        query = body.get("query")
        if not isinstance(query, str) or not query:
            raise unprocessable("`query` must be a non-empty string", "query")
        vectors = await self._vectors(request, [query, *documents], {})
        similarities: list[float] = (vectors[1:] @ vectors[0]).tolist()
        return similarities

    async def openai_embeddings(self, request: Request) -> Response:
        """`POST /v1/embeddings`, as floats or as base64 of little-endian float32."""
        body = await read_json(request)
        encoding = body.get("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            raise unprocessable("`encoding_format` must be float or base64")
        vectors = await self._vectors(
            request, texts(body.get("input"), "input"), {"dimensions": body.get("dimensions")}
        )
        tokens = request.state.prompt_tokens
        return JSONResponse(
            {
                "object": "list",
                "model": self._model,
                "data": [
                    {"object": "embedding", "index": index, "embedding": _encode(vector, encoding)}
                    for index, vector in enumerate(vectors)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    async def _vectors(self, request: Request, inputs: list[str], options: dict[str, Any]) -> "Floats":
        """One vector per text. Options: normalize, truncate, truncation_direction, dimensions (TEI's meanings).

        Texts are truncated unless `truncate` is false; then a long one is a 413, as are too many texts.
        """
        from inference_endpoints_local.workers.bert import normalise

        if len(inputs) > MAX_TEXTS:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_TEXTS} texts at a time")
        dimensions = self._encoder.dimensions if options.get("dimensions") is None else options["dimensions"]
        if type(dimensions) is not int or not 1 <= dimensions <= self._encoder.dimensions:
            raise unprocessable(f"`dimensions` must be a whole number from 1 to {self._encoder.dimensions}")
        if options.get("prompt_name"):
            raise unprocessable("This model has no prompts; leave out `prompt_name`")
        tokens = await anyio.to_thread.run_sync(self._tokens, inputs, options, limiter=self._limiter)
        request.state.prompt_tokens = sum(map(len, tokens))
        record_tokens(request, prompt=request.state.prompt_tokens)
        vectors = (await cancel_on_disconnect(request, self._embed(tokens)))[:, :dimensions]
        return vectors if options.get("normalize") is False else normalise(vectors)

    def _tokens(self, inputs: list[str], options: dict[str, Any]) -> "list[TokenIds]":
        from inference_endpoints_local.workers.bert import MAX_TOKENS, truncate

        tokens = self._encoder.tokenize(inputs)
        longest = max(map(len, tokens))
        if options.get("truncate") is False and longest > MAX_TOKENS:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A text of {longest} tokens is longer than the model's {MAX_TOKENS}; leave `truncate` out to cut it",
            )
        side: Literal["left", "right"] = (
            "left" if str(options.get("truncation_direction")).lower() == "left" else "right"
        )
        return [truncate(text, side) for text in tokens]

    async def _embed(self, tokens: "list[TokenIds]") -> "Floats":
        """Embed batches of similar length, which need little padding. A caller who leaves stops the next batch."""
        import numpy as np

        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors = np.empty((len(tokens), self._encoder.dimensions), dtype=np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            batch = [tokens[row] for row in rows]
            vectors[rows] = await anyio.to_thread.run_sync(self._encoder.embed, batch, limiter=self._limiter)
        return vectors


def _labels(given: object) -> list[str]:
    """Labels in a list, or in one text between commas, as transformers reads them."""
    separate = [label.strip() for label in given.split(",") if label.strip()] if isinstance(given, str) else given
    return texts(separate, "parameters.candidate_labels")


def _scores(cosines: "Floats", *, multi_label: bool) -> "Floats":
    import numpy as np

    from inference_endpoints_local.workers.bert import softmax

    if not multi_label:
        return softmax(cosines * np.float32(SCORE_SCALE))
    scores: Floats = 1 / (1 + np.exp((SCORE_MIDPOINT - cosines) * np.float32(SCORE_SCALE)))
    return scores


def _best_first(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda at: -scores[at])


def _rank(labels: list[str], scores: "Floats") -> list[dict[str, Any]]:
    pairs = zip(labels, scores.tolist(), strict=True)
    return [{"label": label, "score": score} for label, score in sorted(pairs, key=lambda pair: -pair[1])]


def _encode(vector: "Floats", encoding: str) -> str | list[float]:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    values: list[float] = vector.tolist()
    return values


def load(config: WorkerConfig) -> list[Route]:
    """Map the weights, warm up, and return the routes. `POST /` serves the endpoint's task."""
    from inference_endpoints_local.workers.bert import SentenceEncoder

    encoder = SentenceEncoder(config.files["model"], config.files["tokenizer"])
    encoder.embed(encoder.tokenize(["warm up"]))
    model = EmbeddingModel(encoder, config.model)
    task = {
        "feature-extraction": model.feature_extraction,
        "sentence-similarity": model.sentence_similarity,
        "zero-shot-classification": model.zero_shot_classification,
        "text-ranking": model.rank,
    }[config.task]
    routes = {
        "/": task,
        "/predict": task,
        "/embed": model.feature_extraction,
        "/similarity": model.sentence_similarity,
        "/rerank": model.rank,
        "/v1/rerank": model.jina_rank,
        "/v1/embeddings": model.openai_embeddings,
    }
    return [Route(path, handler, methods=["POST"]) for path, handler in routes.items()]


if __name__ == "__main__":
    serve(load)
