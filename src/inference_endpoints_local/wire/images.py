"""The container image of an endpoint: an object of one key, which names the engine and holds its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

# Settings each engine knows beside those of every container; None: not published, taken as they come.
# The service drops unknown settings silently and refuses unknown engines.
PARALLELISM_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "vLLM": ("tensorParallelSize", "dataParallelSize"),
    "sGLang": ("tensorParallelSize",),
}
"""Settings that split a model over accelerators, by the engines that have to be told."""
_TGI = {"maxBatchPrefillTokens", "maxBatchTotalTokens", "maxInputLength", "maxTotalTokens"}
ENGINES: Mapping[str, set[str] | None] = {
    "huggingface": set(),
    "huggingfaceNeuron": {"batchSize", "sequenceLength", "neuronCache"},
    "tgi": _TGI | {"disableCustomKernels", "quantize"},
    "tgiNeuron": _TGI | {"hfAutoCastType", "hfNumCores"},
    "tei": {"maxBatchTokens", "maxConcurrentRequests", "pooling"},
    "llamacpp": {
        *("ctxSize", "modelPath", "nGpuLayers", "nParallel", "threadsHttp", "mode", "pooling", "variant"),
    },
    "vLLM": {*PARALLELISM_SETTINGS["vLLM"]} | {"maxNumSeqs", "maxNumBatchedTokens", "kvCacheDtype"},
    "sGLang": {*PARALLELISM_SETTINGS["sGLang"]}
    | {"maxRunningRequests", "maxPrefillTokens", "chunkedPrefillSize", "kvCacheDtype"},
    "vLLMNeuron": None,
    "vLLMOmni": None,
    "hfServe": None,
    "custom": {"credentials"},
}
_NO_URL_NEEDED = frozenset({"huggingface", "huggingfaceNeuron", "llamacpp", "hfServe"})


@dataclass(frozen=True, eq=False)
class JsonSchemaKeywords:
    """In an annotation: what a validator beside it demands, as JSON Schema."""

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), **self.keywords}


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _integral_float(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


accept_integral_float = BeforeValidator(_integral_float)
"""`1.0` is an integer to JSON Schema, which knows only numbers."""
Text = Annotated[str, AfterValidator(_text), JsonSchemaKeywords({"pattern": r"^[^\x00]*$"})]
"""Text that can be handed to a process."""


class EngineSettings(BaseModel):
    """Of an engine that brings a container of its own. Those the engine alone knows are taken as they come."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="allow")

    url: Text | None = None
    port: Annotated[int, Field(ge=1, le=65_535), accept_integral_float] | None = None
    health_route: Text | None = None


class _ContainerSettings(EngineSettings):
    """Of an engine whose container is named by its address."""

    url: Annotated[Text, StringConstraints(min_length=1)]


def settings_model(engine: str) -> type[EngineSettings]:
    """What the settings of an engine are held to."""
    return EngineSettings if engine in _NO_URL_NEEDED else _ContainerSettings


class _ImageSchema:
    """An image as JSON Schema: one of the engines, with its settings."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del core, handler
        return {"type": "object", "oneOf": [_variant(engine) for engine in ENGINES]}


Image = TypeAliasType("Image", Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1), _ImageSchema()])


def without_unknown_settings(image: Image) -> Image:
    """The image without the settings its engine does not know."""
    common = {"url", "port", "healthRoute"}
    return {
        engine: settings
        if (names := ENGINES[engine]) is None
        else {key: value for key, value in settings.items() if key in names | common}
        for engine, settings in image.items()
    }


def _variant(engine: str) -> dict[str, Any]:
    settings = settings_model(engine).model_json_schema()
    settings.pop("description", None)
    settings["properties"] |= {name: {} for name in sorted(ENGINES[engine] or ())}
    return {
        "title": engine,
        "type": "object",
        "properties": {engine: settings},
        "required": [engine],
        "additionalProperties": False,
    }
