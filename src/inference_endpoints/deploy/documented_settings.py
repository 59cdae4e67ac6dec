"""Pure: refuses what the service's document does not have, with the nearest that it has.

The service drops an unknown setting without an error, and refuses an unknown value only once it is sent. What an
endpoint has already is accepted: the service may be newer than this package.
"""

from collections.abc import Collection, Mapping
from typing import Any, get_args

from inference_endpoints.deploy.request_validation import nearest, validated
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import IMAGE_SETTINGS, Endpoint, RequestPart, UpdateRequest
from inference_endpoints.models.settings.endpoint_features import ENDPOINT_FEATURES
from inference_endpoints.models.settings.literals import Accelerator, AccessType, EndpointTask, Framework, ScalingMetric
from inference_endpoints.models.settings.strict_object import StrictObject

_VALUES: Mapping[tuple[str, ...], Any] = {
    ("type",): AccessType,
    ("compute", "accelerator"): Accelerator,
    ("model", "framework"): Framework,
    ("model", "task"): EndpointTask,
}
_SET_BY_THE_SERVICE = {"id", "fromCatalog"}
"""Settings that it ignores in a request."""
LONGEST_NAME_SHOWN, FEW_NAMES = 64, 6
"""Characters of a wrong name that are repeated, and how many names are listed rather than the nearest alone."""


def check_documented(request: UpdateRequest, current: Endpoint | None = None) -> None:
    """Raises `BadRequest` for the first setting or value that the document does not have and `current` neither."""
    before, body = current.configuration if current else {}, request.to_json()
    _check_part((), request, before)
    for path, literal in _VALUES.items():
        value = _at(body, path)
        if isinstance(value, str) and value != _at(before, path):
            _check_name(".".join(path), value, get_args(literal), "value")
    measure = ("compute", "scaling", "measure")
    _check_names(measure, _at(body, measure), get_args(ScalingMetric), before)
    for name, feature in ENDPOINT_FEATURES.items():
        _check_object((name,), body.get(name), feature, before)
    for engine, settings in (_at(body, ("model", "image")) or {}).items():
        _check_image(engine, settings, before)


def _check_image(engine: str, settings: Any, before: Mapping[str, Any]) -> None:
    """The service replaces an image as a whole: a missing setting is lost."""
    path = ("model", "image", engine)
    if engine not in IMAGE_SETTINGS:
        _check_names(path[:-1], {engine: settings}, IMAGE_SETTINGS, before)
        return
    known = IMAGE_SETTINGS[engine]
    missing = [
        field.alias
        for field in known.model_fields.values()
        if field.is_required() and field.alias and not settings.get(field.alias)
    ]
    if missing:
        hint = "get_endpoint with response_format=detailed shows the complete image of an endpoint."
        if "modelPath" in missing:
            hint = "modelPath is a GGUF file in the model's repository, such as model.Q8_0.gguf. " + hint
        raise BadRequest(
            f"The image in config.model has no {' and no '.join(missing)}, and the service replaces an image as a "
            "whole: nothing was sent.",
            hint=hint,
        )
    _check_object(path, settings, known, before)


def _check_object(path: tuple[str, ...], settings: Any, known: type[StrictObject], before: Mapping[str, Any]) -> None:
    if isinstance(settings, Mapping) and settings != _at(before, path):
        _check_names(path, settings, known.names(), before)
        validated(lambda: known.model_validate(settings), *path)


def _check_part(path: tuple[str, ...], part: RequestPart, before: Mapping[str, Any]) -> None:
    """A part of the request, which keeps the settings that it does not name as extra ones."""
    names = {field.alias or name for name, field in type(part).model_fields.items()}
    extra = {name: value for name, value in (part.model_extra or {}).items() if name not in _SET_BY_THE_SERVICE}
    _check_names(path, extra, names, before)
    for name in type(part).model_fields:
        if isinstance(inner := getattr(part, name), RequestPart):
            _check_part((*path, name), inner, before)


def _check_names(path: tuple[str, ...], settings: Any, known: Collection[str], before: Mapping[str, Any]) -> None:
    for name in settings if isinstance(settings, Mapping) else ():
        if name not in (_at(before, path) or ()):
            _check_name(".".join(path), name, known, "setting")


def _check_name(where: str, name: str, known: Collection[str], kind: str) -> None:
    if name in known:
        return
    shown = ascii(name[:LONGEST_NAME_SHOWN])[1:-1]  # without characters that a terminal could act on
    all_known = f"It has {', '.join(sorted(known))}." if known else "It has no settings."
    raise BadRequest(
        f"The service knows no {kind} {shown} in {where or 'an endpoint'}: nothing was sent.",
        hint=(nearest(name, known) if len(known) > FEW_NAMES else "") or all_known,
    )


def _at(settings: Any, path: tuple[str, ...]) -> Any:
    """The value at a path; None if there is none."""
    for name in path:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings
