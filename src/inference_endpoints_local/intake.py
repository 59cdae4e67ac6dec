"""Request bodies of create and update: read, checked, completed and merged. Pure.

Errors are worded as the service words them: `VALIDATION_FAILED: path.of.field: what is wrong`.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from inference_endpoints_local.record import Spec

SCALE_TO_ZERO_MINUTES = 15
"""The service's default where `minReplica` is 0."""
DEPTH = 32
"""Levels of nesting; the deepest documented body has six."""
_WHOLE = frozenset({"image", "args", "command", "measure", "route", "tags", "experimentalFeatures", "privateService"})
# Settings each container engine knows beside `url`, `port` and `healthRoute`; None: not published, taken as they come.
# The service drops unknown settings silently and refuses unknown engines.
_PARALLEL = {"tensorParallelSize", "dataParallelSize"}
_TGI = {"maxBatchPrefillTokens", "maxBatchTotalTokens", "maxInputLength", "maxTotalTokens"}
IMAGES: dict[str, set[str] | None] = {
    "huggingface": set(),
    "huggingfaceNeuron": {"batchSize", "sequenceLength", "neuronCache"},
    "tgi": _TGI | {"disableCustomKernels", "quantize"},
    "tgiNeuron": _TGI | {"hfAutoCastType", "hfNumCores"},
    "tei": {"maxBatchTokens", "maxConcurrentRequests", "pooling"},
    "llamacpp": {
        *("ctxSize", "modelPath", "nGpuLayers", "nParallel", "threadsHttp", "mode", "pooling", "variant"),
    },
    "vLLM": _PARALLEL | {"maxNumSeqs", "maxNumBatchedTokens", "kvCacheDtype"},
    "sGLang": _PARALLEL | {"maxRunningRequests", "maxPrefillTokens", "chunkedPrefillSize", "kvCacheDtype"},
    "vLLMNeuron": None,
    "vLLMOmni": None,
    "hfServe": None,
    "custom": {"credentials"},
}
_NO_URL_NEEDED = frozenset({"huggingface", "huggingfaceNeuron", "llamacpp", "hfServe"})
# They would change how the worker process itself starts, not what it serves.
_FORBIDDEN_VARIABLES = re.compile(r"(LD_|DYLD_|PYTHON|GLIBC_)\w*|PATH|HOME|BASH_ENV|ENV|IFS", re.IGNORECASE)


class BadBody(ValueError):
    """The body cannot be accepted; the message is the service's error text."""


class _Body(BaseModel):
    """Strict about types, silent about unknown fields: so is the service."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="ignore", protected_namespaces=())


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("not a name of an environment variable")
    return name


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


Text = Annotated[str, AfterValidator(_text)]
Variables = dict[Annotated[str, AfterValidator(_variable)], Text]


class _Scaling(_Body):
    min_replica: Annotated[int, Field(ge=0, le=1_000)]
    max_replica: Annotated[int, Field(ge=1, le=1_000)]
    scale_to_zero_timeout: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    measure: dict[Literal["hardwareUsage", "pendingRequests"], float | None] | None = None


class _Compute(_Body):
    accelerator: Literal["cpu", "gpu", "neuron", "zero_gpu"]
    instance_type: str
    instance_size: str
    scaling: _Scaling


class _Provider(_Body):
    vendor: str
    region: str


class _Model(_Body):
    repository: Annotated[Text, StringConstraints(min_length=1, max_length=4_096)]
    framework: Literal["custom", "pytorch", "llamacpp", "tensorflow"]
    revision: Text | None = None
    task: Text | None = None
    image: Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)]
    env: Variables = Field(default_factory=dict)
    secrets: Variables = Field(default_factory=dict)
    args: list[Text] | None = None
    command: list[Text] | None = None


class _Endpoint(_Body):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
    type: Literal["public", "authenticated", "private"]
    provider: _Provider
    compute: _Compute
    model: _Model
    tags: list[Text] = Field(default_factory=list)
    route: dict[str, Any] | None = None
    cache_http_responses: bool | None = None
    experimental_features: dict[str, Any] | None = None
    private_service: dict[str, Any] | None = None
    network: dict[str, Any] | None = None
    notifications: dict[str, Any] | None = None
    custom_router: dict[str, Any] | None = None


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises BadBody on anything that is not one, or could not be answered with."""
    try:
        parsed = json.loads(body)
        # What Python reads but JSON has no way to say: NaN, lone surrogates.
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadBody(f"Failed to parse the request body as JSON: {reason}") from error
    if _deeper_than(DEPTH, parsed):
        raise BadBody("Failed to parse the request body as JSON: nested too deeply")
    if not isinstance(parsed, dict):
        raise BadBody("Failed to parse the request body as JSON: expected an object")
    model = parsed.get("model")
    if isinstance(model, dict) and model.get("task", "") is None:
        # Recorded from the service: the one optional field that may be left out but not be null.
        raise BadBody("Failed to parse the request body as JSON: model.task: expected value")
    return parsed


def _deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(levels - 1, one) for one in inner)


def create(body: dict[str, Any]) -> Spec:
    """The complete configuration of a new endpoint. Raises BadBody."""
    return _complete(_with_measure(body))


def update(current: Spec, body: dict[str, Any]) -> Spec:
    """The current configuration with a partial one merged in. Raises BadBody.

    Objects merge, null in `env` removes a variable. Null in `secrets` keeps one: that is how secrets are shown,
    and a document that is read, changed and sent back must not lose them.
    """
    for fixed in ("name", "provider"):
        if body.get(fixed) not in (None, current[fixed]):
            # Not part of the service's update document; saying nothing would look like success.
            raise BadBody(f"VALIDATION_FAILED: {fixed}: cannot be changed")
    merged = _merge(current, _with_measure(body))
    scaling = merged["compute"]["scaling"] if isinstance(merged.get("compute"), dict) else {}
    asked = body.get("compute")
    asked = asked.get("scaling") if isinstance(asked, dict) else None
    if isinstance(scaling, dict) and scaling.get("minReplica") and not (asked or {}).get("scaleToZeroTimeout"):
        # Kept on by the new minimum: the old timeout has lost its meaning.
        scaling["scaleToZeroTimeout"] = None
    return _complete(merged)


def check_environment(spec: Spec) -> None:
    """For endpoints that run as processes here: their variables must not reach into the process itself."""
    for kind in ("env", "secrets"):
        for name in spec["model"][kind]:
            if _FORBIDDEN_VARIABLES.fullmatch(name):
                raise BadBody(f"VALIDATION_FAILED: model.{kind}: {name} cannot be set for a process of this machine")


def _complete(body: dict[str, Any]) -> Spec:
    """Checked, with the defaults the service fills in and without what it does not know."""
    if body.get("type") == "protected":
        raise BadBody("VALIDATION_FAILED: type: `protected` is no longer supported; use `private`")
    _check_image(body)
    try:
        endpoint = _Endpoint.model_validate(body)
    except ValidationError as error:
        raise BadBody(_words(error)) from error
    spec = endpoint.model_dump(by_alias=True)
    scaling = spec["compute"]["scaling"]
    low, high, minutes = scaling["minReplica"], scaling["maxReplica"], scaling["scaleToZeroTimeout"]
    if low > high:
        raise BadBody("VALIDATION_FAILED: compute.scaling.minReplica: above maxReplica")
    if minutes is not None and low > 0:
        raise BadBody("VALIDATION_FAILED: compute.scaling.scaleToZeroTimeout: requires minReplica 0")
    if low == 0:
        scaling["scaleToZeroTimeout"] = minutes or SCALE_TO_ZERO_MINUTES
    scaling["measure"] = scaling["measure"] or {"hardwareUsage": None}
    spec["model"]["image"] = {engine: _known(engine, settings) for engine, settings in spec["model"]["image"].items()}
    model = {key: value for key, value in spec["model"].items() if value is not None or key in ("revision", "task")}
    return {key: value for key, value in spec.items() if value is not None} | {"model": model}


def _check_image(body: dict[str, Any]) -> None:
    model = body.get("model")
    image = model.get("image") if isinstance(model, dict) else None
    if not isinstance(image, dict):
        return
    for engine, settings in image.items():
        if engine not in IMAGES:
            raise BadBody(f"VALIDATION_FAILED: model.image: unknown variant `{engine}`, expected one of {_names()}")
        if isinstance(settings, dict) and engine not in _NO_URL_NEEDED and not settings.get("url"):
            raise BadBody(f"VALIDATION_FAILED: model.image.{engine}: missing field `url`")


def _names() -> str:
    return ", ".join(f"`{engine}`" for engine in IMAGES)


def _known(engine: str, settings: dict[str, Any]) -> dict[str, Any]:
    known = IMAGES[engine]
    if known is None:
        return settings
    return {key: value for key, value in settings.items() if key in known or key in ("url", "port", "healthRoute")}


def _with_measure(body: dict[str, Any]) -> dict[str, Any]:
    """`metric` and `threshold` are the older spelling of `measure`, which wins."""
    compute = body.get("compute")
    scaling = compute.get("scaling") if isinstance(compute, dict) else None
    if not isinstance(scaling, dict) or not isinstance(compute, dict):
        return body
    if scaling.get("measure") is None and scaling.get("metric") is not None:
        scaling = scaling | {"measure": {scaling["metric"]: scaling.get("threshold")}}
    return body | {"compute": compute | {"scaling": scaling}}


def _merge(current: Any, change: Any, path: tuple[str, ...] = ()) -> Any:
    merged = dict(current)
    for key, value in change.items():
        inner = (*path, key)
        if value is None and inner[:2] == ("model", "env"):
            merged.pop(key, None)
        elif value is None and inner not in (("model", "revision"), ("compute", "scaling", "scaleToZeroTimeout")):
            continue  # never set
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in _WHOLE:
            merged[key] = _merge(merged[key], value, inner)
        else:
            merged[key] = value
    return merged


def _words(error: ValidationError) -> str:
    """The first thing wrong, by its path."""
    first = error.errors(include_url=False, include_input=False)[0]
    *parents, last = [str(part) for part in first["loc"] if part != "[key]"] or [""]
    if first["type"] == "missing":
        where = f"{'.'.join(parents)}: " if parents else ""
        return f"VALIDATION_FAILED: {where}missing field `{last}`"
    return f"VALIDATION_FAILED: {'.'.join((*parents, last))}: {first['msg']}"
