"""llama.cpp as an engine for embeddings and ranks: texts go in, and come out as vectors or scores."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request

from inference_endpoints_local.workers.llamacpp.llama import start_engine
from inference_endpoints_local.workers.worker_http import cancel_on_disconnect, record_tokens, unprocessable
from inference_endpoints_local.workers.worker_server import WorkerConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BATCH_SIZE = 16
MAX_TEXTS = 1024
_UNNORMALISED = -1
_TOO_LONG = ("exceed_context_size_error", "too large to process")


class LlamaEncoder:
    """An engine with a model that makes vectors. It runs as many batches at a time as it has slots."""

    def __init__(self, config: WorkerConfig) -> None:
        self._limiter = anyio.CapacityLimiter(config.parallel)
        self._engine = start_engine(config, pools="as its file says")
        try:
            first = self._embed(["warm up"])
        except HTTPException:
            # Its file does not say how the vectors of tokens become one. sentence-transformers takes their mean then.
            self._engine = start_engine(config, pools="mean")
            first = self._embed(["warm up"])
        self.dimensions = len(first["data"][0]["embedding"])

    async def vectors(self, request: Request, inputs: list[str], options: dict[str, Any]) -> "Floats":
        """One vector per text. A text that is too long is a 413, as are too many."""
        import numpy as np

        if options.get("truncate"):
            raise unprocessable("Texts are not cut here: leave out `truncate`, and send shorter ones", "truncate")
        answers = await _in_batches(request, inputs, self._embed, self._limiter)
        made = [each["embedding"] for answer in answers for each in _in_order(answer["data"])]
        return np.array(made, dtype=np.float32)

    def _embed(self, inputs: list[str]) -> dict[str, Any]:
        return _checked(self._engine.handle_embeddings({"input": inputs, "embd_normalize": _UNNORMALISED}))


class LlamaRanker:
    """An engine with a model that scores pairs of texts."""

    def __init__(self, config: WorkerConfig) -> None:
        self._limiter = anyio.CapacityLimiter(config.parallel)
        self._engine = start_engine(config, pools="rank")
        self._rank("warm up", ["warm up"])

    async def score(self, request: Request, query: str, documents: list[str]) -> list[float]:
        """The model's own score of each text: its head's output, which may be any number."""

        def rank(batch: list[str]) -> dict[str, Any]:
            return self._rank(query, batch)

        answers = await _in_batches(request, documents, rank, self._limiter)
        return [float(each["relevance_score"]) for answer in answers for each in _in_order(answer["results"])]

    def _rank(self, query: str, documents: list[str]) -> dict[str, Any]:
        return _checked(self._engine.handle_rerank({"query": query, "documents": documents}))


async def _in_batches(
    request: Request,
    inputs: list[str],
    run: Callable[[list[str]], dict[str, Any]],
    limiter: anyio.CapacityLimiter,
) -> list[dict[str, Any]]:
    """The answers for the batches of these texts, their tokens counted. A caller who leaves stops the next batch."""
    if len(inputs) > MAX_TEXTS:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_TEXTS} texts at a time")

    async def run_all() -> list[dict[str, Any]]:
        return [await anyio.to_thread.run_sync(run, batch, limiter=limiter) for batch in _batches(inputs)]

    answers = await cancel_on_disconnect(request, run_all())
    request.state.prompt_tokens = sum(int(answer["usage"]["prompt_tokens"]) for answer in answers)
    record_tokens(request, prompt=request.state.prompt_tokens)
    return answers


def _batches(inputs: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(inputs), BATCH_SIZE):
        yield inputs[start : start + BATCH_SIZE]


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: int(item["index"]))


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer. Raises HTTPException for an error of the engine."""
    if not (error := answer.get("error")):
        return answer
    if any(sign in f"{error.get('type')} {error.get('message')}" for sign in _TOO_LONG):
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "A text is longer than this model takes: send shorter ones, or deploy it with a larger ctxSize if the "
            "model was trained on longer texts",
        )
    raise HTTPException(error.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed on this input")
