"""Completes a create or update request with the caller's nested settings and the names of secrets."""

from collections.abc import Sequence
from typing import Any, TypeVar

from inference_endpoints.deploy.request_validation import validated
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import UpdateRequest
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.tools.call_context import CallContext

Change = TypeVar("Change", bound=UpdateRequest)

_OTHER_ARGUMENTS = {"name", "provider"}
_UNSET: dict[str, dict[str, Any]] = {
    "args": {"model": {"args": []}},
    "command": {"model": {"command": []}},
    "tags": {"tags": []},
    "revision": {"model": {"revision": None}},
    "scale_to_zero_timeout": {"compute": {"scaling": {"scaleToZeroTimeout": None}}},
}
"""The body that unsets a setting."""
_HINT = (
    "Use secret_names for secrets that the operator lends (--lend NAME): the container reads them from its "
    "environment, and their values never pass through a model."
)


def complete(
    request: Change,
    config: dict[str, Any],
    secret_names: Sequence[str],
    call: CallContext,
    clear: Sequence[str] = (),
) -> Change:
    """The request with the caller's nested settings, masked secrets of these names, and the settings to clear.

    Raises `BadRequest` for a wrong setting and for anything like a secret; its message never holds a value.
    """
    lent = call.lent_secrets.mask(secret_names)
    _check_config(config)
    completed = validated(lambda: request.merged(config))
    for setting in clear:
        _check_clearable(setting)
        completed = completed.merged(_UNSET[setting])
    _refuse_secrets(completed, call.redactor)
    return completed.with_secrets(lent)


def _check_clearable(setting: str) -> None:
    if setting not in _UNSET:
        raise BadRequest(
            "The service cannot remove a variable or a secret: an update keeps those that it does not name, and takes "
            "no null (API 2.0.0). Nothing was sent.",
            hint="Set it to an empty text with env, or create the endpoint again with the config of get_endpoint "
            "(response_format=detailed).",
        )


def _check_config(config: dict[str, Any]) -> None:
    if any(_holds(config, name) for name in ("secrets", "credentials")):
        raise BadRequest(
            "config may not hold secrets or credentials: a model would read them. Nothing was sent.",
            hint=_HINT,
        )
    if own := sorted(_OTHER_ARGUMENTS & set(config)):
        raise BadRequest(
            f"config may not hold {' or '.join(own)}: nothing was sent.",
            hint="Use endpoint_name and hardware, which names vendor and region. The name cannot change.",
        )
    if config.get("type") == "protected":
        raise BadRequest("The type 'protected' is not supported: nothing was sent.", hint="Use private.")


def _holds(value: Any, name: str) -> bool:
    if isinstance(value, list):
        return any(_holds(item, name) for item in value)
    if isinstance(value, dict):
        return bool(value.get(name)) or _holds(list(value.values()), name)
    return False


def _refuse_secrets(request: UpdateRequest, redactor: Redactor) -> None:
    env = (request.model and request.model.env) or {}
    named = sum(1 for name, value in env.items() if redactor.is_suspicious(name, value))
    body = request.to_json()
    if named or redactor.data(body) != body:
        where = f"{named} variable(s) of env look" if named else "A setting, an argument or an address looks"
        raise BadRequest(
            f"{where} like a secret, by name or by value, and a model would read it. Nothing was sent.",
            hint=_HINT,
        )
