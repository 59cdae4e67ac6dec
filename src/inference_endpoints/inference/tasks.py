"""The tasks of Hugging Face's API: their inputs, their outputs, and the forms in which engines answer.

Sources: the Inference Toolkit, TGI, TEI and hf-serve, the published task schemas of huggingface.js, and
huggingface_hub 2.4.0. Engines with only the OpenAI API serve two of these tasks under its routes.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.media import is_media_of
from inference_endpoints.models.json_text import parse_json

Parsed = TypeVar("Parsed")
Parameters = Mapping[str, Any]
BodyBuilder = Callable[[Any, Parameters], dict[str, Any]]
"""Builds the body of a request from inputs and parameters."""
Route = tuple[str, BodyBuilder]

OPENAI_ENGINES = ("vLLM", "vLLMNeuron", "vLLMOmni", "sGLang", "llamacpp")
"""Image keys of engines that do not serve `POST /`."""


class TaskInput(StrEnum):
    """What a task takes. A pair is a dict with two named parts; bytes are the content of a media file."""

    TEXT = "text"
    TEXTS = "texts"
    PAIR = "pair"
    BYTES = "bytes"
    JSON = "json"


class TaskOutput(StrEnum):
    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True)
class Label:
    """One class of a classifier, with its score.

    >>> labels = get_inference_endpoint("chat").client.text_classification("I like it.")
    >>> labels[0].label, labels[0].score
    ('POSITIVE', 0.9)
    """

    label: str
    score: float


@dataclass(frozen=True)
class EngineRequest:
    """A request to an engine: JSON in `body`, or a media file in `content`."""

    path: str = "/"
    body: Any = None
    content: bytes | None = field(default=None, repr=False)


def _nest_parameters(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"inputs": inputs, "parameters": dict(parameters)}


def _merge_parameters(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"inputs": inputs, **parameters}


def _build_completion(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    # The one common parameter with another name. The others are passed on unchanged.
    named = {"max_tokens" if key == "max_new_tokens" else key: value for key, value in parameters.items()}
    return {"prompt": inputs, **named}


def _build_embedding(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"input": inputs, **parameters}


@dataclass(frozen=True)
class Task(Generic[Parsed]):
    """One task. `parse` raises ValueError, TypeError, KeyError, IndexError or AttributeError for an answer of another
    task. `accept` is the media type of its answers; for files only its first half counts.

    `routes`: by image key, the routes of engines that serve this task elsewhere than at `POST /`.
    """

    name: str
    input: TaskInput
    parse: Callable[[Any], Parsed]
    output: TaskOutput = TaskOutput.JSON
    accept: str = "application/json"
    build_body: BodyBuilder = _nest_parameters
    routes: Mapping[str, Route] = field(default_factory=dict)

    def build_request(
        self, inputs: Any, parameters: Parameters | None = None, *, engine: str = "", model: str = ""
    ) -> EngineRequest:
        """The request for these inputs. A media file is sent unchanged, or as base64 if there are parameters.

        `engine` is the key of the endpoint's image; `model` is the model's name for an engine of the OpenAI API.
        Raises `BadRequest` if the task needs a media file and the inputs are not bytes.
        """
        given = parameters or {}
        if engine in self.routes:
            path, build_body = self.routes[engine]
            named = {"model": model} if engine in OPENAI_ENGINES else {}
            return EngineRequest(path, named | build_body(inputs, given))
        if self.input is not TaskInput.BYTES:
            return EngineRequest(body=self.build_body(inputs, given))
        if not isinstance(inputs, bytes):
            raise BadRequest(f"{self.name} takes a media file as bytes.")
        if given:
            return EngineRequest(body=self.build_body(b64encode(inputs).decode("ascii"), given))
        return EngineRequest(content=inputs)

    def parse_response(self, content_type: str, content: bytes) -> Parsed:
        """Parse the body of a response. Raises the errors of `parse`."""
        if self.output is TaskOutput.JSON:
            return self.parse(parse_json(content))
        media_kind = self.accept.partition("/")[0]
        if not is_media_of(media_kind, content_type, content):
            raise ValueError(f"not of the type {media_kind}")
        return self.parse(content)


def _unwrap_single(payload: Any) -> Any:
    """The only answer of a batch of one. Some engines unwrap it, some do not."""
    return payload[0] if isinstance(payload, list) and len(payload) == 1 else payload


def _parse_text(key: str) -> Callable[[Any], str]:
    def parse(payload: Any) -> str:
        one = _unwrap_single(_unwrap_single(payload))
        if isinstance(one, dict) and "choices" in one:
            return str(one["choices"][0]["text"])
        return str(one[key])

    return parse


def parse_vectors(payload: Any) -> list[list[float]]:
    """TEI's `[[…]]`, hf-serve's `{"embeddings": …}`, OpenAI's `{"data": …}`, or the single vector of one text."""
    if isinstance(payload, dict) and "data" in payload:
        in_order = sorted(payload["data"], key=lambda row: row.get("index", 0))
        payload = [row["embedding"] for row in in_order]
    elif isinstance(payload, dict):
        payload = payload["embeddings"]
    rows = payload if not payload or isinstance(payload[0], list) else [payload]
    return [[float(number) for number in row] for row in rows]


def parse_similarities(payload: Any) -> list[float]:
    """TEI's `[…]`, or hf-serve's `{"similarities": [[…]]}`."""
    numbers = payload["similarities"] if isinstance(payload, dict) else payload
    return [float(number) for number in (numbers[0] if numbers and isinstance(numbers[0], list) else numbers)]


def parse_labels(payload: Any) -> list[Label]:
    """A list of `{label, score}`, nested or flat, or the classic `{sequence, labels, scores}`."""
    if isinstance(payload, list) and payload and isinstance(payload[0], list):
        payload = payload[0]
    payload = _unwrap_single(payload)
    if isinstance(payload, dict) and "labels" in payload:
        pairs = zip(payload["labels"], payload["scores"], strict=True)
        return [Label(str(label), float(score)) for label, score in pairs]
    rows = payload if isinstance(payload, list) else [payload]
    return [Label(str(row["label"]), float(row["score"])) for row in rows]


def _keep_unparsed(payload: Any) -> Any:
    return payload


_ALL: tuple[Task[Any], ...] = (
    Task(
        "text-generation",
        TaskInput.TEXT,
        _parse_text("generated_text"),
        routes=dict.fromkeys(OPENAI_ENGINES, ("/v1/completions", _build_completion)),
    ),
    Task(
        "feature-extraction",
        TaskInput.TEXTS,
        parse_vectors,
        build_body=_merge_parameters,
        routes=dict.fromkeys(OPENAI_ENGINES, ("/v1/embeddings", _build_embedding)),
    ),
    Task("sentence-similarity", TaskInput.PAIR, parse_similarities, routes={"tei": ("/similarity", _nest_parameters)}),
    Task("text-classification", TaskInput.TEXT, parse_labels),
    Task("zero-shot-classification", TaskInput.TEXT, parse_labels),
    Task("text2text-generation", TaskInput.TEXT, _parse_text("generated_text")),
    Task("summarization", TaskInput.TEXT, _parse_text("summary_text")),
    Task("translation", TaskInput.TEXT, _parse_text("translation_text")),
    Task("fill-mask", TaskInput.TEXT, _keep_unparsed),
    Task("token-classification", TaskInput.TEXT, _keep_unparsed),
    Task("question-answering", TaskInput.PAIR, _keep_unparsed),
    Task("table-question-answering", TaskInput.PAIR, _keep_unparsed),
    Task("visual-question-answering", TaskInput.JSON, _keep_unparsed),
    Task("document-question-answering", TaskInput.JSON, _keep_unparsed),
    Task("zero-shot-image-classification", TaskInput.JSON, parse_labels),
    Task("automatic-speech-recognition", TaskInput.BYTES, _parse_text("text")),
    Task("audio-classification", TaskInput.BYTES, parse_labels),
    Task("image-classification", TaskInput.BYTES, parse_labels),
    Task("image-segmentation", TaskInput.BYTES, _keep_unparsed),
    Task("image-to-text", TaskInput.BYTES, _parse_text("generated_text")),
    Task("object-detection", TaskInput.BYTES, _keep_unparsed),
    Task("text-to-image", TaskInput.TEXT, _keep_unparsed, TaskOutput.BYTES, "image/png"),
    Task("text-to-speech", TaskInput.TEXT, _keep_unparsed, TaskOutput.BYTES, "audio/*"),
)

TASKS: Mapping[str, Task[Any]] = MappingProxyType({task.name: task for task in _ALL})
"""Every task by its name on the Hub. Chat is not a task: it is a protocol of its own (`chat.py`)."""
