"""The body of a create or update request, from what a caller gave: nested settings merged in, and no secret."""

from collections.abc import Iterator, Sequence
from typing import Any

from inference_endpoints.errors import BadRequest
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.tools.call_context import CallContext

_OF_THEIR_OWN = {"name", "provider"}
_OBJECTS = {"compute", "compute.scaling", "model", "model.env", "model.image"}
_UNSET: dict[str, dict[str, Any]] = {
    "args": {"model": {"args": []}},
    "command": {"model": {"command": []}},
    "tags": {"tags": []},
    "revision": {"model": {"revision": None}},
    "scale_to_zero_timeout": {"compute": {"scaling": {"scaleToZeroTimeout": None}}},
}
"""How the API is told that a setting is none."""
_INSTEAD = "Name in secret_names what the operator lends; the values then never pass through a model."


def complete(
    payload: dict[str, Any],
    config: dict[str, Any],
    secret_names: Sequence[str],
    call: CallContext,
    clear: Sequence[str] = (),
) -> dict[str, Any]:
    """The payload with the caller's nested settings, the names of secrets, and what is to be unset.

    Raises `BadRequest` on what may not stand there, a secret above all: it never says which value.
    """
    lent = call.lent_secrets.masked(secret_names)
    merged = _with_config(payload, config)
    for setting in clear:
        merged = _merged(merged, _UNSET[setting])
    _refuse_secrets(merged, call.redactor)
    return _merged(merged, {"model": {"secrets": lent}}) if lent else merged


def _with_config(payload: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    if any(_holds(config, name) for name in ("secrets", "credentials")):
        raise BadRequest(
            "config may not hold secrets or credentials: what a model reads or writes is no secret. Nothing was sent.",
            hint=_INSTEAD,
        )
    if own := sorted(_OF_THEIR_OWN & set(config)):
        raise BadRequest(
            f"config may not hold {' or '.join(own)}: nothing was sent.",
            hint="endpoint_name and hardware say that, and neither name nor place of an endpoint can change.",
        )
    if config.get("type") == "protected":
        raise BadRequest("The type 'protected' makes an endpoint nobody can reach.", hint="Take private.")
    return _merged(payload, config)


def _holds(value: Any, name: str) -> bool:
    if isinstance(value, list):
        return any(_holds(item, name) for item in value)
    if isinstance(value, dict):
        return bool(value.get(name)) or _holds(list(value.values()), name)
    return False


def _merged(below: dict[str, Any], above: dict[str, Any], path: str = "") -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        where, inner = f"{path}{key}", merged.get(key)
        if where in _OBJECTS and not isinstance(value, dict):
            raise BadRequest(f"config.{where} is an object in the API: nothing was sent.")
        if isinstance(value, dict) and key != "image":
            merged[key] = _merged(inner if isinstance(inner, dict) else {}, value, f"{where}.")
        else:
            merged[key] = value
    return merged


def _refuse_secrets(payload: dict[str, Any], redactor: Redactor) -> None:
    env = (payload.get("model") or {}).get("env") or {}
    named = sum(1 for name, value in env.items() if isinstance(value, str) and redactor.suspects(name, value))
    if named or any(redactor.text(text) != text for text in _texts(payload)):
        where = f"{named} variable(s) of env look" if named else "A setting looks"
        raise BadRequest(
            f"{where} like a secret, by name or by value: what a model reads or writes is no secret. Nothing was sent.",
            hint=_INSTEAD,
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
