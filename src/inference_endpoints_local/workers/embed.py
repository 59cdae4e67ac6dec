"""Sentence embedding worker: vectors, similarity, ranking, and zero-shot classification by comparing vectors.

Ranking compares vectors too: it is no cross-encoder, and a score is a cosine.
Zero-shot classification uses a bi-encoder, not an entailment model: the score of a label is the similarity of its
vector to the text's, on a hand-set scale. It ranks topics well and does not handle negation.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.embedding_routes import EmbeddingRoutes
from inference_endpoints_local.workers.ranking_routes import RankingRoutes
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


class MiniLm:
    """The engine. One forward pass runs at a time, on all threads of the worker."""

    def __init__(self, encoder: "SentenceEncoder") -> None:
        self._encoder = encoder
        self._limiter = anyio.CapacityLimiter(1)

    @property
    def dimensions(self) -> int:
        return int(self._encoder.dimensions)

    async def vectors(self, request: Request, inputs: list[str], options: dict[str, Any]) -> "Floats":
        """Texts are truncated unless `truncate` is false; then a long one is a 413, as are too many texts."""
        if len(inputs) > MAX_TEXTS:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_TEXTS} texts at a time")
        tokens = await anyio.to_thread.run_sync(self._tokens, inputs, options, limiter=self._limiter)
        request.state.prompt_tokens = sum(map(len, tokens))
        record_tokens(request, prompt=request.state.prompt_tokens)
        return await cancel_on_disconnect(request, self._embed(tokens))

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


class ComparingModel:
    """What is answered by comparing vectors: ranks, and labels of a text."""

    def __init__(self, embeddings: EmbeddingRoutes) -> None:
        self._embeddings = embeddings

    async def score(self, request: Request, query: str, documents: list[str]) -> list[float]:
        """The cosine of each text and the query."""
        vectors = await self._embeddings.vectors(request, [query, *documents], {})
        cosines: list[float] = (vectors[1:] @ vectors[0]).tolist()
        return cosines

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
        vectors = await self._embeddings.vectors(request, inputs + hypotheses, {})
        cosines = vectors[: len(inputs)] @ vectors[len(inputs) :].T
        ranked = [_rank(labels, row) for row in _scores(cosines, multi_label=bool(options.get("multi_label")))]
        return JSONResponse(ranked if isinstance(body["inputs"], list) else ranked[0])


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


def _rank(labels: list[str], scores: "Floats") -> list[dict[str, Any]]:
    pairs = zip(labels, scores.tolist(), strict=True)
    return [{"label": label, "score": score} for label, score in sorted(pairs, key=lambda pair: -pair[1])]


def load(config: WorkerConfig) -> list[Route]:
    """Map the weights, warm up, and return the routes. `POST /` serves the endpoint's task."""
    from inference_endpoints_local.workers.bert import SentenceEncoder

    encoder = SentenceEncoder(config.files["model"], config.files["tokenizer"])
    encoder.embed(encoder.tokenize(["warm up"]))
    embeddings = EmbeddingRoutes(MiniLm(encoder), config.model)
    comparing = ComparingModel(embeddings)
    ranking = RankingRoutes(comparing.score, config.model)
    task = {
        "feature-extraction": embeddings.feature_extraction,
        "sentence-similarity": embeddings.sentence_similarity,
        "zero-shot-classification": comparing.zero_shot_classification,
        "text-ranking": ranking.rank,
    }[config.task]
    routes = {
        "/": task,
        "/predict": task,
        "/embed": embeddings.feature_extraction,
        "/similarity": embeddings.sentence_similarity,
        "/rerank": ranking.rank,
        "/v1/rerank": ranking.jina_rank,
        "/v1/embeddings": embeddings.openai_embeddings,
    }
    return [Route(path, handler, methods=["POST"]) for path, handler in routes.items()]


if __name__ == "__main__":
    serve(load)
