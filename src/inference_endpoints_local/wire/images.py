"""The container image of an endpoint: an object with one key, the engine, whose value is the engine's settings."""

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

from inference_endpoints.models import IMAGES_WITHOUT_URL, PARALLELISM_SETTINGS

_TGI = {"maxBatchPrefillTokens", "maxBatchTotalTokens", "maxInputLength", "maxTotalTokens"}
# The settings of each engine beside those of every container. None: not published, so all are accepted.
# The service drops unknown settings silently and refuses unknown engines.
IMAGE_KEYS: Mapping[str, set[str] | None] = {
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


@dataclass(frozen=True, eq=False)
class JsonSchemaKeywords:
    """In an annotation: JSON Schema keywords for what a validator beside it checks."""

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
"""Accepts `1.0` as an integer, as JSON Schema does."""
Text = Annotated[str, AfterValidator(_text), JsonSchemaKeywords({"pattern": r"^[^\x00]*$"})]
"""Text that can be passed to a process."""


class EngineSettings(BaseModel):
    """Settings of an engine with a default container. Settings of this engine alone are not checked."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="allow")

    url: Text | None = None
    port: Annotated[int, Field(ge=1, le=65_535), accept_integral_float] | None = None
    health_route: Text | None = None


class _ContainerSettings(EngineSettings):
    """Settings of an engine whose container must be named by its URL."""

    url: Annotated[Text, StringConstraints(min_length=1)]


def settings_model(engine: str) -> type[EngineSettings]:
    """The model that validates the settings of an engine."""
    return EngineSettings if engine in IMAGES_WITHOUT_URL else _ContainerSettings


class _ImageSchema:
    """The JSON Schema of an image: one of the engines, with its settings."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del core, handler
        return {"type": "object", "oneOf": [_variant(engine) for engine in IMAGE_KEYS]}


ImageBody = TypeAliasType(
    "ImageBody", Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1), _ImageSchema()]
)


def without_unknown_settings(image: ImageBody) -> ImageBody:
    """The image without settings that its engine does not have."""
    common = {"url", "port", "healthRoute"}
    return {
        engine: settings
        if (names := IMAGE_KEYS[engine]) is None
        else {key: value for key, value in settings.items() if key in names | common}
        for engine, settings in image.items()
    }


def _variant(engine: str) -> dict[str, Any]:
    settings = settings_model(engine).model_json_schema()
    settings.pop("description", None)
    settings["properties"] |= {name: {} for name in sorted(IMAGE_KEYS[engine] or ())}
    return {
        "title": engine,
        "type": "object",
        "properties": {engine: settings},
        "required": [engine],
        "additionalProperties": False,
    }
