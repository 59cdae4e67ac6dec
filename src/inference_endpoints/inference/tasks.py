"""The tasks of the HF task API: what goes in, what comes out, and in which shapes engines answer.

Shapes: the Inference Toolkit, TGI, TEI and hf-serve, the published task schemas of huggingface.js, and what
huggingface_hub 2.4.0 sends. Engines that speak the OpenAI API alone serve two of these tasks under its routes.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.media import is_of
from inference_endpoints.models import Endpoint

Parsed = TypeVar("Parsed")
Parameters = Mapping[str, Any]
Shape = Callable[[Any, Parameters], dict[str, Any]]
"""The body of a request, of inputs and parameters."""
Route = tuple[str, Shape]

_OPENAI_ENGINES = ("vLLM", "vLLMNeuron", "vLLMOmni", "sGLang", "llamacpp")
"""Keys of images that serve no `POST /`."""


class Input(StrEnum):
    """What a task is given. A pair is a dict with two named parts; bytes are a media file as it is."""

    TEXT = "text"
    TEXTS = "texts"
    PAIR = "pair"
    BYTES = "bytes"
    JSON = "json"


class Output(StrEnum):
    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True)
class Label:
    """One class a classifier knows, with its score."""

    label: str
    score: float


@dataclass(frozen=True)
class Ask:
    """A request to an engine: JSON in `body`, or a media file in `content`."""

    path: str = "/"
    body: Any = None
    content: bytes | None = field(default=None, repr=False)


def engine_of(endpoint: Endpoint) -> str:
    """The key of the endpoint's image, as far as it is known."""
    return endpoint.model.image.engine if endpoint.model.image else ""


def _in_parameters(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"inputs": inputs, "parameters": dict(parameters)}


def _at_root(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"inputs": inputs, **parameters}


def _completion(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    # The one parameter of everyday use whose name differs; the others are passed through.
    named = {"max_tokens" if key == "max_new_tokens" else key: value for key, value in parameters.items()}
    return {"prompt": inputs, **named}


def _embedding(inputs: Any, parameters: Parameters) -> dict[str, Any]:
    return {"input": inputs, **parameters}


@dataclass(frozen=True)
class Task(Generic[Parsed]):
    """One task. `parse` raises ValueError, TypeError, KeyError, IndexError or AttributeError where an answer is none of
    this task's. `accept` is the media type of its answers: where they are files, its first half alone counts.

    `routes` are those of engines, by the key of their image, that do it elsewhere than at `POST /`.
    """

    name: str
    takes: Input
    parse: Callable[[Any], Parsed]
    gives: Output = Output.JSON
    accept: str = "application/json"
    shape: Shape = _in_parameters
    routes: Mapping[str, Route] = field(default_factory=dict)

    def build(self, inputs: Any, parameters: Parameters | None = None, *, engine: str = "", model: str = "") -> Ask:
        """The request for these inputs. A media file goes as it is, or as base64 where there are parameters.

        Raises `BadRequest` for inputs that are no media file where one is needed.
        `engine` is the key of the endpoint's image; `model` is what an engine of the OpenAI API is told.
        """
        given = parameters or {}
        if engine in self.routes:
            path, shape = self.routes[engine]
            named = {"model": model} if engine in _OPENAI_ENGINES else {}
            return Ask(path, named | shape(inputs, given))
        if self.takes is not Input.BYTES:
            return Ask(body=self.shape(inputs, given))
        if not isinstance(inputs, bytes):
            raise BadRequest(f"{self.name} takes a media file, and was not given bytes.")
        if given:
            return Ask(body=self.shape(b64encode(inputs).decode("ascii"), given))
        return Ask(content=inputs)

    def read(self, content_type: str, content: bytes) -> Parsed:
        """What an answer says, of its body and its Content-Type. Raises as `parse` does, and RecursionError."""
        if self.gives is Output.JSON:
            return self.parse(json.loads(content))
        family = self.accept.partition("/")[0]
        if not is_of(family, content_type, content):
            raise ValueError(f"no {family}")
        return self.parse(content)


def _first(answer: Any) -> Any:
    """The one answer of a batch of one, which some engines unwrap and some do not."""
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


def _text_under(key: str) -> Callable[[Any], str]:
    def parse(answer: Any) -> str:
        one = _first(_first(answer))
        if isinstance(one, dict) and "choices" in one:
            return str(one["choices"][0]["text"])
        return str(one[key])

    return parse


def vectors_of(answer: Any) -> list[list[float]]:
    """TEI's `[[…]]`, hf-serve's `{"embeddings": …}`, OpenAI's `{"data": …}`, or the one vector of one text."""
    if isinstance(answer, dict) and "data" in answer:
        in_order = sorted(answer["data"], key=lambda row: row.get("index", 0))
        answer = [row["embedding"] for row in in_order]
    elif isinstance(answer, dict):
        answer = answer["embeddings"]
    rows = answer if not answer or isinstance(answer[0], list) else [answer]
    return [[float(number) for number in row] for row in rows]


def similarities_of(answer: Any) -> list[float]:
    """TEI's `[…]`, or hf-serve's `{"similarities": [[…]]}`."""
    numbers = answer["similarities"] if isinstance(answer, dict) else answer
    return [float(number) for number in (numbers[0] if numbers and isinstance(numbers[0], list) else numbers)]


def labels_of(answer: Any) -> list[Label]:
    """A list of `{label, score}`, nested or flat, or the classic `{sequence, labels, scores}`."""
    if isinstance(answer, list) and answer and isinstance(answer[0], list):
        answer = answer[0]
    answer = _first(answer)
    if isinstance(answer, dict) and "labels" in answer:
        pairs = zip(answer["labels"], answer["scores"], strict=True)
        return [Label(str(label), float(score)) for label, score in pairs]
    rows = answer if isinstance(answer, list) else [answer]
    return [Label(str(row["label"]), float(row["score"])) for row in rows]


def _as_it_is(answer: Any) -> Any:
    return answer


TEXT_GENERATION = Task(
    "text-generation",
    Input.TEXT,
    _text_under("generated_text"),
    routes=dict.fromkeys(_OPENAI_ENGINES, ("/v1/completions", _completion)),
)
FEATURE_EXTRACTION = Task(
    "feature-extraction",
    Input.TEXTS,
    vectors_of,
    shape=_at_root,
    routes=dict.fromkeys(_OPENAI_ENGINES, ("/v1/embeddings", _embedding)),
)
SENTENCE_SIMILARITY = Task(
    "sentence-similarity", Input.PAIR, similarities_of, routes={"tei": ("/similarity", _in_parameters)}
)
TEXT_CLASSIFICATION = Task("text-classification", Input.TEXT, labels_of)
ZERO_SHOT_CLASSIFICATION = Task("zero-shot-classification", Input.TEXT, labels_of)

_ALL: tuple[Task[Any], ...] = (
    TEXT_GENERATION,
    FEATURE_EXTRACTION,
    SENTENCE_SIMILARITY,
    TEXT_CLASSIFICATION,
    ZERO_SHOT_CLASSIFICATION,
    Task("text2text-generation", Input.TEXT, _text_under("generated_text")),
    Task("summarization", Input.TEXT, _text_under("summary_text")),
    Task("translation", Input.TEXT, _text_under("translation_text")),
    Task("fill-mask", Input.TEXT, _as_it_is),
    Task("token-classification", Input.TEXT, _as_it_is),
    Task("question-answering", Input.PAIR, _as_it_is),
    Task("table-question-answering", Input.PAIR, _as_it_is),
    Task("visual-question-answering", Input.JSON, _as_it_is),
    Task("document-question-answering", Input.JSON, _as_it_is),
    Task("zero-shot-image-classification", Input.JSON, labels_of),
    Task("automatic-speech-recognition", Input.BYTES, _text_under("text")),
    Task("audio-classification", Input.BYTES, labels_of),
    Task("image-classification", Input.BYTES, labels_of),
    Task("image-segmentation", Input.BYTES, _as_it_is),
    Task("image-to-text", Input.BYTES, _text_under("generated_text")),
    Task("object-detection", Input.BYTES, _as_it_is),
    Task("text-to-image", Input.TEXT, _as_it_is, Output.BYTES, "image/png"),
    Task("text-to-speech", Input.TEXT, _as_it_is, Output.BYTES, "audio/*"),
)

TASKS: Mapping[str, Task[Any]] = MappingProxyType({task.name: task for task in _ALL})
"""Every task by its name on the Hub. Chat is not one: it is a protocol of its own (`chat.py`)."""
