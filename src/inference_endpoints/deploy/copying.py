"""Pure: the settings of an endpoint, in the form of a create request."""

from typing import Any

from inference_endpoints.models import Endpoint

_TOP_LEVEL_SETTINGS = (
    *("tags", "route", "cacheHttpResponses", "experimentalFeatures"),
    *("privateService", "network", "notifications", "customRouter"),
)
_SCALING = ("minReplica", "maxReplica", "scaleToZeroTimeout", "measure")
_MODEL = ("framework", "task", "revision", "image", "env", "args", "command")


def copy_settings(endpoint: Endpoint) -> dict[str, Any]:
    """All settings for an identical endpoint, except its name, model and hardware.

    Secrets and credentials of a registry are left out: they are never shown.
    """
    document = endpoint.raw
    scaling = _pick((document.get("compute") or {}).get("scaling"), _SCALING)
    if scaling.get("minReplica"):
        scaling["scaleToZeroTimeout"] = None  # else the default time-out would be set beside it
    model = _pick(document.get("model"), _MODEL)
    image = model.get("image")
    if isinstance(image, dict):
        model["image"] = {engine: _without_credentials(settings) for engine, settings in image.items()}
    access = "private" if endpoint.type.value == "protected" else endpoint.type.value
    return {"type": access, "compute": {"scaling": scaling}, "model": model} | _pick(document, _TOP_LEVEL_SETTINGS)


def _pick(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """The keys of an object that have a value."""
    found = value if isinstance(value, dict) else {}
    return {key: found[key] for key in keys if found.get(key) not in (None, [], {})}


def _without_credentials(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {key: value for key, value in settings.items() if key != "credentials" and value is not None}
