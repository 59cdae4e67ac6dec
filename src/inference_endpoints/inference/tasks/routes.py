"""Where engines serve a task, and the body that each route takes.

Sources: the Inference Toolkit and hf-serve 0.2.0 (`POST /`), Text Embeddings Inference, the OpenAI API as vLLM, SGLang
and llama.cpp serve it, and Jina's `/v1/rerank`, which the same three serve.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks.engine_request import EngineRequest, multipart
from inference_endpoints.inference.tasks.inputs import AudioInput, TaskInput, data_uri
from inference_endpoints.inference.tasks.readers import Reader

Parameters = Mapping[str, Any]
Builder = Callable[["EngineRoute", Sequence[Any], Parameters, str], EngineRequest]
"""Builds the request for inputs, parameters and the name of the model."""


@dataclass(frozen=True)
class EngineRoute:
    """One route of an engine for a task. `takes_many`: one request can have many inputs.

    `read` is how its answers are read, where they differ from the task's others.
    """

    path: str
    build: Builder
    takes_many: bool = False
    read: Reader | None = None

    def request(self, inputs: Sequence[TaskInput], parameters: Parameters, model: str) -> EngineRequest:
        return self.build(self, inputs, parameters, model)


def _wire(inputs: Sequence[TaskInput]) -> Any:
    """One input as itself, several as a list."""
    return inputs[0].wire() if len(inputs) == 1 else [each.wire() for each in inputs]


def nested(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    return EngineRequest(route.path, {"inputs": _wire(inputs), "parameters": dict(parameters)})


def generation(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    """As `nested`, with the name that the task API has for the limit of tokens, and with a list of what ends a text."""
    renamed = {"max_new_tokens" if key == "max_tokens" else key: value for key, value in parameters.items()}
    if isinstance(renamed.get("stop"), str):
        renamed["stop"] = [renamed["stop"]]
    return EngineRequest(route.path, {"inputs": _wire(inputs), "parameters": renamed})


def merged(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    """Parameters beside the inputs."""
    return EngineRequest(route.path, {"inputs": _wire(inputs), **parameters})


def media(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    """A file as it is; with parameters as base64 in JSON."""
    if parameters:
        return nested(route, inputs, parameters, model)
    return EngineRequest(route.path, content=inputs[0].file)


def pairs(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    """TEI's `/predict`: a list of texts is one pair, so that many texts are lists of one."""
    many = inputs[0].wire() if len(inputs) == 1 else [[each.wire()] for each in inputs]
    return EngineRequest(route.path, {"inputs": many, **parameters})


def tei_rerank(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    return EngineRequest(route.path, {"query": inputs[0].query, "texts": inputs[0].texts, **parameters})


def jina_rerank(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    body = {"model": model, "query": inputs[0].query, "documents": inputs[0].texts}
    return EngineRequest(route.path, body | dict(parameters))


def tabular(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, _: str) -> EngineRequest:
    return EngineRequest(route.path, {"table": inputs[0].table, "parameters": dict(parameters)})


_COMPLETION_NAMES = {"max_new_tokens": "max_tokens", "return_full_text": "echo"}


def completion(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    # What has another name here. The others are passed on unchanged.
    renamed = {_COMPLETION_NAMES.get(key, key): value for key, value in parameters.items()}
    if renamed.pop("details", False):
        renamed.setdefault("logprobs", 1)
    return EngineRequest(route.path, {"model": model, "prompt": _wire(inputs), **renamed})


def openai_input(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    """`/v1/embeddings`, `/v1/audio/speech` and vLLM's `/classify`."""
    return EngineRequest(route.path, {"model": model, "input": _wire(inputs), **parameters})


def openai_image(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    given = dict(parameters)
    width, height = given.pop("width", None), given.pop("height", None)
    size = {"size": f"{width}x{height}"} if width and height else {}
    body = {"model": model, "prompt": inputs[0].text, "response_format": "b64_json", **size}
    return EngineRequest(route.path, body | given)


def transcription(
    route: EngineRoute, inputs: Sequence[AudioInput], parameters: Parameters, model: str
) -> EngineRequest:
    given = dict(parameters)
    if given.pop("return_timestamps", False):
        given |= {"response_format": "verbose_json", "timestamp_granularities[]": ["segment"]}
    kind = detect_media_type(inputs[0].audio)
    name = f"audio.{kind.partition('/')[2]}"
    return multipart(route.path, {"model": model, **given}, inputs[0].audio, name, kind)


def message(route: EngineRoute, inputs: Sequence[Any], parameters: Parameters, model: str) -> EngineRequest:
    """A chat of one message, which may show an image."""
    text, image = getattr(inputs[0], "text", None), getattr(inputs[0], "image", None)
    parts: list[dict[str, Any]] = []
    if image is not None:
        parts.append({"type": "image_url", "image_url": {"url": data_uri(image, detect_media_type(image))}})
    parts.append({"type": "text", "text": text or "Describe this image."})
    renamed = {"max_tokens" if key == "max_new_tokens" else key: value for key, value in parameters.items()}
    content = text if image is None else parts
    return EngineRequest(route.path, {"model": model, "messages": [{"role": "user", "content": content}], **renamed})


ROOT_NESTED = EngineRoute("/", nested)
ROOT_MEDIA = EngineRoute("/", media)
