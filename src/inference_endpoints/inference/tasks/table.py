"""The table of tasks: each with its inputs, its outputs, an example, and the routes of the engines that serve it."""

from collections.abc import Mapping
from types import MappingProxyType

from inference_endpoints.inference.tasks import inputs, parameters, routes
from inference_endpoints.inference.tasks.engine_request import OPENAI_ENGINES
from inference_endpoints.inference.tasks.readers.answers import (
    read_answers,
    read_candidates,
    read_entities,
    read_table_answer,
)
from inference_endpoints.inference.tasks.readers.labels import read_classes, read_labels, read_ranks
from inference_endpoints.inference.tasks.readers.media import read_media, read_objects, read_segments, read_sounds
from inference_endpoints.inference.tasks.readers.texts import read_texts, read_transcript
from inference_endpoints.inference.tasks.readers.vectors import read_embeddings, read_similarities
from inference_endpoints.inference.tasks.routes import ROOT_MEDIA, ROOT_NESTED, EngineRoute
from inference_endpoints.inference.tasks.task import Task

_TEXT = {"text": "It rains."}
_IMAGE = {"image": "/path/to/cat.png"}
_AUDIO = {"audio": "/path/to/speech.wav"}
_LABELS = "labels with scores, best first"
_GENERATED = read_texts("generated_text", "text", "content")

_GENERATION = EngineRoute("/", routes.generation)
_RERANK = EngineRoute("/v1/rerank", routes.jina_rerank)
_CHAT = EngineRoute("/v1/chat/completions", routes.message)


def _on_openai(path: str, build: routes.Builder, *, takes_many: bool = False) -> dict[str, EngineRoute]:
    return dict.fromkeys(OPENAI_ENGINES, EngineRoute(path, build, takes_many))


_ALL = (
    Task(
        "text-generation",
        inputs.TextInput,
        "the text that goes on from the input",
        _GENERATED,
        {"text": "Once upon a time"},
        _GENERATION,
        parameters.TEXT_GENERATION,
        routes=_on_openai("/v1/completions", routes.completion, takes_many=True),
    ),
    Task(
        "image-text-to-text",
        inputs.PromptInput,
        "the model's answer",
        _GENERATED,
        {"text": "What is in this image?", **_IMAGE},
        _GENERATION,
        parameters.TEXT_GENERATION,
        routes=dict.fromkeys((*OPENAI_ENGINES, "tgi", "tgineuron"), _CHAT),
    ),
    Task(
        "feature-extraction",
        inputs.TextInput,
        "a vector; a vector for each token, or the weights of a sparse one, from models that return those",
        read_embeddings,
        _TEXT,
        EngineRoute("/", routes.merged, takes_many=True),
        parameters.FEATURE_EXTRACTION,
        routes=_on_openai("/v1/embeddings", routes.openai_input, takes_many=True),
    ),
    Task(
        "sentence-similarity",
        inputs.SentencePair,
        "a similarity for each sentence, in their order",
        read_similarities,
        {"source_sentence": "It rains.", "sentences": ["It is wet.", "I like cats."]},
        ROOT_NESTED,
        {},
        routes={"tei": EngineRoute("/similarity", routes.nested)},
    ),
    Task(
        "text-ranking",
        inputs.QueryAndTexts,
        "index and score of each text, best first",
        read_ranks,
        {"query": "What falls from the sky?", "texts": ["I like cats.", "Rain."]},
        EngineRoute("/", routes.tei_rerank),
        parameters.RERANKING,
        routes=dict.fromkeys(OPENAI_ENGINES, _RERANK),
    ),
    Task(
        "text-classification",
        inputs.TextInput,
        _LABELS,
        read_labels,
        {"text": "I like it."},
        ROOT_NESTED,
        parameters.CLASSIFICATION,
        routes={
            "tei": EngineRoute("/predict", routes.pairs, takes_many=True),
            "vllm": EngineRoute("/classify", routes.openai_input, takes_many=True),
            "sglang": EngineRoute("/classify", routes.openai_input, takes_many=True),
        },
    ),
    Task(
        "zero-shot-classification",
        inputs.TextInput,
        _LABELS,
        read_labels,
        {"text": "I love football.", "parameters": {"candidate_labels": ["sport", "cooking"]}},
        ROOT_NESTED,
        parameters.TEXT_ZERO_SHOT,
        required=("candidate_labels",),
    ),
    Task(
        "token-classification",
        inputs.TextInput,
        "the entities of the text, in its order",
        read_entities,
        {"text": "Ada lives in Paris."},
        ROOT_NESTED,
        parameters.TOKEN_CLASSIFICATION,
    ),
    Task(
        "text2text-generation",
        inputs.TextInput,
        "the generated text",
        _GENERATED,
        {"text": "translate English to German: It rains."},
        ROOT_NESTED,
        parameters.TEXT_GENERATION,
    ),
    Task(
        "summarization",
        inputs.TextInput,
        "the summary",
        read_texts("summary_text", "generated_text"),
        {"text": "Water fell from the sky, and did so all day long."},
        ROOT_NESTED,
        parameters.SUMMARIZATION,
    ),
    Task(
        "translation",
        inputs.TextInput,
        "the translation",
        read_texts("translation_text", "generated_text"),
        _TEXT,
        ROOT_NESTED,
        parameters.TRANSLATION,
    ),
    Task(
        "fill-mask",
        inputs.TextInput,
        "what could stand in place of the mask, best first",
        read_candidates,
        {"text": "It [MASK] today."},
        ROOT_NESTED,
        parameters.FILL_MASK,
    ),
    Task(
        "question-answering",
        inputs.QuestionInContext,
        "answers, best first",
        read_answers,
        {"question": "Where does Ada live?", "context": "Ada lives in Paris."},
        ROOT_NESTED,
        parameters.QUESTION_ANSWERING,
    ),
    Task(
        "table-question-answering",
        inputs.QuestionOnTable,
        "the answer, with its cells",
        read_table_answer,
        {"question": "Who is 36?", "table": {"name": ["Ada", "Bob"], "age": ["36", "24"]}},
        ROOT_NESTED,
        parameters.TABLE_QUESTION_ANSWERING,
    ),
    Task(
        "tabular-classification",
        inputs.TableInput,
        "the class of each row",
        read_classes,
        {"table": {"length": [5.1, 6.2], "width": [3.5, 2.9]}},
        EngineRoute("/", routes.tabular),
    ),
    Task(
        "visual-question-answering",
        inputs.QuestionOnImage,
        "answers, best first",
        read_answers,
        {"question": "Which animal is this?", **_IMAGE},
        ROOT_NESTED,
        parameters.VISUAL_QUESTION_ANSWERING,
    ),
    Task(
        "document-question-answering",
        inputs.QuestionOnImage,
        "answers, best first",
        read_answers,
        {"question": "What is the total?", "image": "/path/to/invoice.png"},
        ROOT_NESTED,
        parameters.DOCUMENT_QUESTION_ANSWERING,
    ),
    Task(
        "zero-shot-image-classification",
        inputs.ImageInput,
        _LABELS,
        read_labels,
        {**_IMAGE, "parameters": {"candidate_labels": ["cat", "dog"]}},
        ROOT_MEDIA,
        parameters.IMAGE_ZERO_SHOT,
        required=("candidate_labels",),
    ),
    Task(
        "automatic-speech-recognition",
        inputs.AudioInput,
        "what was said; with return_timestamps also when",
        read_transcript,
        _AUDIO,
        ROOT_MEDIA,
        parameters.SPEECH_RECOGNITION,
        routes=_on_openai("/v1/audio/transcriptions", routes.transcription),
    ),
    Task(
        "audio-classification",
        inputs.AudioInput,
        _LABELS,
        read_labels,
        _AUDIO,
        ROOT_MEDIA,
        parameters.CLASSIFICATION,
    ),
    Task(
        "audio-to-audio",
        inputs.AudioInput,
        "sounds, each with what it is",
        read_sounds,
        _AUDIO,
        ROOT_MEDIA,
    ),
    Task(
        "image-classification",
        inputs.ImageInput,
        _LABELS,
        read_labels,
        _IMAGE,
        ROOT_MEDIA,
        parameters.CLASSIFICATION,
    ),
    Task(
        "image-segmentation",
        inputs.ImageInput,
        "segments with a mask each",
        read_segments,
        _IMAGE,
        ROOT_MEDIA,
        parameters.IMAGE_SEGMENTATION,
    ),
    Task(
        "object-detection",
        inputs.ImageInput,
        "objects with their boxes in pixels, surest first",
        read_objects,
        _IMAGE,
        ROOT_MEDIA,
        parameters.OBJECT_DETECTION,
    ),
    Task(
        "image-to-text",
        inputs.ImageInput,
        "a description of the image",
        _GENERATED,
        _IMAGE,
        ROOT_MEDIA,
        parameters.IMAGE_TO_TEXT,
        routes=dict.fromkeys(OPENAI_ENGINES, _CHAT),
    ),
    Task(
        "text-to-image",
        inputs.TextInput,
        "an image",
        read_media("image"),
        {"text": "a cat"},
        ROOT_NESTED,
        parameters.TEXT_TO_IMAGE,
        routes=_on_openai("/v1/images/generations", routes.openai_image),
        media="image",
    ),
    Task(
        "image-to-image",
        inputs.ImageInput,
        "an image",
        read_media("image"),
        {**_IMAGE, "parameters": {"prompt": "a cat with a hat"}},
        ROOT_MEDIA,
        parameters.IMAGE_TO_IMAGE,
        media="image",
    ),
    Task(
        "text-to-speech",
        inputs.TextInput,
        "a sound",
        read_media("audio"),
        _TEXT,
        ROOT_NESTED,
        parameters.TEXT_TO_SPEECH,
        routes=_on_openai("/v1/audio/speech", routes.openai_input),
        media="audio",
    ),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
"""Every task by its name on the Hub. Chat is not a task: it is a protocol of its own."""

_SAME = {
    "sentence-embeddings": "feature-extraction",
    "sentence-ranking": "text-ranking",
    "rerank": "text-ranking",
    "conversational": "image-text-to-text",
    "any-to-any": "image-text-to-text",
    "text-to-audio": "text-to-speech",
}
"""Names under which the service or the Hub know the same task."""

_BY_PATH: Mapping[str, tuple[str, EngineRoute]] = {
    "/embed": ("feature-extraction", EngineRoute("/embed", routes.merged, takes_many=True)),
    "/embed_all": ("feature-extraction", EngineRoute("/embed_all", routes.merged, takes_many=True)),
    "/embed_sparse": ("feature-extraction", EngineRoute("/embed_sparse", routes.merged, takes_many=True)),
    "/v1/embeddings": ("feature-extraction", EngineRoute("/v1/embeddings", routes.openai_input, takes_many=True)),
    "/predict": ("text-classification", EngineRoute("/predict", routes.pairs, takes_many=True)),
    "/classify": ("text-classification", EngineRoute("/classify", routes.openai_input, takes_many=True)),
    "/similarity": ("sentence-similarity", EngineRoute("/similarity", routes.nested)),
    "/rerank": ("text-ranking", EngineRoute("/rerank", routes.tei_rerank)),
    "/v1/rerank": ("text-ranking", _RERANK),
    "/v1/completions": ("text-generation", EngineRoute("/v1/completions", routes.completion, takes_many=True)),
    "/v1/chat/completions": ("image-text-to-text", _CHAT),
    "/v1/audio/transcriptions": (
        "automatic-speech-recognition",
        EngineRoute("/v1/audio/transcriptions", routes.transcription),
    ),
    "/v1/audio/speech": ("text-to-speech", EngineRoute("/v1/audio/speech", routes.openai_input)),
    "/v1/images/generations": ("text-to-image", EngineRoute("/v1/images/generations", routes.openai_image)),
}
"""The task of each route that engines are known for, whatever the endpoint was deployed for."""

_ONLY_ON_TEI = frozenset({"/predict"})
"""Routes that mean something else on other engines: `/predict` of the Inference Toolkit serves its own task."""


def find_task(name: str | None) -> Task | None:
    """The task of this name; None for a task that has no inputs of its own, such as `custom`."""
    return TASKS.get(_SAME.get(name or "", name or ""))


def find_route(path: str, engine: str) -> tuple[Task, EngineRoute] | None:
    """The task that a path serves on this engine; None for a path of its own."""
    path = path.partition("?")[0]
    known = None if path in _ONLY_ON_TEI and engine != "tei" else _BY_PATH.get(path)
    return (TASKS[known[0]], known[1]) if known else None
