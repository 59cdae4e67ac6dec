"""The bodies of create and update: parsed, validated, completed and merged. Pure.

Errors have the service's form: `VALIDATION_FAILED: path.of.field: reason`.
"""

import json
from typing import Any

from inference_endpoints.models import DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN, IMAGE_SETTINGS
from inference_endpoints_local.state.record import Spec
from inference_endpoints_local.wire.endpoint_body import EndpointBody, EndpointChangeBody
from inference_endpoints_local.wire.parsing import InvalidRequest, parse_as, unknown_variant

__all__ = ["InvalidRequest", "parse_body", "validate_create", "validate_update"]

MAX_NESTING = 32
"""Levels of nesting. The deepest documented body has six."""
_REPLACED_WHOLE = frozenset(
    {"image", "args", "command", "measure", "route", "tags", "experimentalFeatures", "customRouter"}
)


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequest for anything else, and for values that JSON cannot express."""
    try:
        parsed = json.loads(body)
        # Python accepts NaN and lone surrogates, which JSON cannot express.
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidRequest(f"Failed to parse the request body as JSON: {reason}") from error
    if _deeper_than(MAX_NESTING, parsed):
        raise InvalidRequest("Failed to parse the request body as JSON: nested too deeply")
    if not isinstance(parsed, dict):
        raise InvalidRequest("Failed to parse the request body as JSON: expected an object")
    model = parsed.get("model")
    if isinstance(model, dict) and model.get("task", "") is None:
        # Recorded from the service: the only optional field that may be omitted but not be null.
        raise InvalidRequest("Failed to parse the request body as JSON: model.task: expected value")
    return parsed


def _deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(levels - 1, one) for one in inner)


def validate_create(body: dict[str, Any]) -> Spec:
    """The complete configuration of a new endpoint. Raises InvalidRequest."""
    spec = _validate(_with_known_image(_with_measure(body)))
    return spec | {"model": spec["model"] | {"secrets": _without_nulls(spec["model"]["secrets"])}}


def validate_update(current: Spec, body: dict[str, Any]) -> Spec:
    """The current configuration with a partial one merged in. Raises InvalidRequest.

    Objects merge. Null in `env` removes a variable. Null in `secrets` keeps one: documents show secrets as null, and a
    document that is read, changed and sent back must not lose them. Another `provider` moves the endpoint: the instance
    must exist there, and the replicas are replaced as for any other hardware. What else the service does then is not
    published; here the endpoint keeps its URL.
    """
    if body.get("name") not in (None, current["name"]):
        # Not part of the service's update document. If it were ignored, the request would appear to succeed.
        raise InvalidRequest("VALIDATION_FAILED: name: cannot be changed")
    known = parse_as(EndpointChangeBody, _with_known_image(_with_measure(body)))
    merged = _merge(current, known.model_dump(by_alias=True, exclude_unset=True))
    scaling = merged["compute"]["scaling"]
    requested = (body.get("compute") or {}).get("scaling") or {}
    if scaling["minReplica"] and not requested.get("scaleToZeroTimeout"):
        # The new minimum keeps it on, so the old time-out no longer applies.
        scaling["scaleToZeroTimeout"] = None
    return _validate(merged)


def _validate(body: dict[str, Any]) -> Spec:
    """Validated, with the service's defaults and without unknown fields."""
    spec = parse_as(EndpointBody, body).model_dump(by_alias=True)
    scaling = spec["compute"]["scaling"]
    low, high, minutes = scaling["minReplica"], scaling["maxReplica"], scaling["scaleToZeroTimeout"]
    if low > high:
        raise InvalidRequest("VALIDATION_FAILED: compute.scaling.minReplica: above maxReplica")
    if minutes is not None and low > 0:
        raise InvalidRequest("VALIDATION_FAILED: compute.scaling.scaleToZeroTimeout: requires minReplica 0")
    if low == 0:
        scaling["scaleToZeroTimeout"] = minutes or DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN
    scaling["measure"] = scaling["measure"] or {"hardwareUsage": None}
    if not (spec["customRouter"] or {}).get("tag"):
        spec["customRouter"] = None
    model = _without_nulls(spec["model"]) | {key: spec["model"][key] for key in ("revision", "task")}
    return _without_nulls(spec) | {"model": model}


def _without_nulls(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}


def _with_known_image(body: dict[str, Any]) -> dict[str, Any]:
    """With the image checked, and without settings that its engine does not have."""
    model = body.get("model")
    image = model.get("image") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(image, dict):
        return body
    known = {}
    for engine, settings in image.items():
        if engine not in IMAGE_SETTINGS:
            raise unknown_variant("model.image", engine, IMAGE_SETTINGS)
        parsed = parse_as(IMAGE_SETTINGS[engine], settings, "model", "image", engine)
        known[engine] = parsed.model_dump(by_alias=True, exclude_unset=True)
    return body | {"model": model | {"image": known}}


def _with_measure(body: dict[str, Any]) -> dict[str, Any]:
    """With `measure` made from its older spelling, `metric` and `threshold`, if it is not set."""
    compute = body.get("compute")
    scaling = compute.get("scaling") if isinstance(compute, dict) else None
    if not isinstance(scaling, dict) or not isinstance(compute, dict):
        return body
    if scaling.get("measure") is None and isinstance(metric := scaling.get("metric"), str):
        scaling = scaling | {"measure": {metric: scaling.get("threshold")}}
    return body | {"compute": compute | {"scaling": scaling}}


def _merge(current: Any, change: Any, path: tuple[str, ...] = ()) -> Any:
    merged = dict(current)
    for key, value in change.items():
        inner = (*path, key)
        if value is None and inner[:2] == ("model", "env"):
            merged.pop(key, None)
        elif value is None and inner not in (("model", "revision"), ("compute", "scaling", "scaleToZeroTimeout")):
            continue  # never set
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in _REPLACED_WHOLE:
            merged[key] = _merge(merged[key], value, inner)
        else:
            merged[key] = value
    return merged
