"""The routes of a model that makes vectors of texts, whichever engine makes them."""

import base64
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference_endpoints_local.workers.worker_http import read_json, texts, unprocessable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Encoder(Protocol):
    """An engine. `vectors` are as the model makes them; it counts their tokens in `request.state.prompt_tokens`."""

    @property
    def dimensions(self) -> int: ...

    async def vectors(self, request: Request, inputs: list[str], options: dict[str, Any]) -> "Floats": ...


class EmbeddingRoutes:
    """The routes. Options of the task are at the root of the body, in TEI's meanings."""

    def __init__(self, encoder: Encoder, model: str) -> None:
        self._encoder = encoder
        self._model = model

    async def feature_extraction(self, request: Request) -> Response:
        """`{"inputs"}` to one vector per text, also for a single one."""
        body = await read_json(request)
        vectors = await self.vectors(request, texts(body.get("inputs"), "inputs"), body)
        return JSONResponse(vectors.tolist())

    async def sentence_similarity(self, request: Request) -> Response:
        """`{"inputs": {"source_sentence", "sentences"}}` to one cosine per sentence."""
        inputs = (await read_json(request)).get("inputs")
        if not isinstance(inputs, dict) or not isinstance(inputs.get("source_sentence"), str):
            raise unprocessable("`inputs` must be an object with `source_sentence` and `sentences`")
        sentences = texts(inputs.get("sentences"), "inputs.sentences")
        source = texts(inputs["source_sentence"], "inputs.source_sentence")
        vectors = await self.vectors(request, source + sentences, {})
        return JSONResponse((vectors[1:] @ vectors[0]).tolist())

    async def openai_embeddings(self, request: Request) -> Response:
        """`POST /v1/embeddings`, as floats or as base64 of little-endian float32."""
        body = await read_json(request)
        encoding = body.get("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            raise unprocessable("`encoding_format` must be float or base64")
        vectors = await self.vectors(request, texts(body.get("input"), "input"), {"dimensions": body.get("dimensions")})
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

    async def vectors(self, request: Request, inputs: list[str], options: dict[str, Any]) -> "Floats":
        """One vector per text, of length 1 unless `normalize` is false, and of `dimensions` if they are given."""
        own = self._encoder.dimensions
        dimensions = own if options.get("dimensions") is None else options["dimensions"]
        if type(dimensions) is not int or not 1 <= dimensions <= own:
            raise unprocessable(f"`dimensions` must be a whole number from 1 to {own}", "dimensions")
        if options.get("prompt_name"):
            raise unprocessable("This model has no prompts; leave out `prompt_name`", "prompt_name")
        vectors = (await self._encoder.vectors(request, inputs, options))[:, :dimensions]
        return vectors if options.get("normalize") is False else normalise(vectors)


def normalise(vectors: "Floats") -> "Floats":
    """The vectors scaled to length 1."""
    import numpy as np

    result: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return result


def _encode(vector: "Floats", encoding: str) -> str | list[float]:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    values: list[float] = vector.tolist()
    return values
