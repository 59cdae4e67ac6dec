"""Pure: requests the service takes and that end badly, or refuses without saying why; each refused here, with the
reason, before anything is sent.

Source: rules huggingface_hub's authors verified against the service in August 2026.
"""

from typing import Any

from inference_endpoints.deploy.engines import PARALLEL_SETTINGS, accelerators_used
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint, ModelSettings

_TOLD_BY: dict[str, type] = {"image": dict, "args": list, "command": list, "env": dict}
_WITHOUT_URL = frozenset({"huggingface", "huggingfaceNeuron"})


def check(payload: dict[str, Any], accelerators: int, current: Endpoint | None = None) -> None:
    """Raises `BadRequest` for a create body, or an update body of `current`, that walks into one.

    `accelerators` are those of one replica, on the hardware it would run on.
    """
    asked = (payload.get("model") or {}).get("image")
    if asked is not None:
        _image_in_part(asked)
    model = _model_after(payload, current)
    engine = model.image.engine if model.image else ""
    if engine in PARALLEL_SETTINGS and accelerators > 1 and accelerators_used(model) == 1:
        raise BadRequest(
            f"{engine} would use one of {accelerators} accelerators, and the service refuses that: nothing was sent.",
            hint=f"Set tensorParallelSize={accelerators} in config.model.image.{engine}, whole with its url.",
        )
    _sleep_of_the_sleepless(payload, current)


def _model_after(payload: dict[str, Any], current: Endpoint | None) -> ModelSettings:
    """What the engine would be told. A setting of the wrong type is the service's to refuse."""
    before = current.raw.get("model") or {} if current else {}
    after = {**before, **(payload.get("model") or {})}
    told = {key: after[key] for key, kind in _TOLD_BY.items() if isinstance(after.get(key), kind)}
    words = {key: [str(word) for word in value] for key, value in told.items() if isinstance(value, list)}
    return ModelSettings.model_validate(told | words)


def _image_in_part(image: Any) -> None:
    """An image is replaced whole: what is left out of it is gone."""
    engine, settings = next(iter(image.items()), ("", None)) if isinstance(image, dict) else ("", None)
    if engine and engine not in _WITHOUT_URL and not (isinstance(settings, dict) and settings.get("url")):
        raise BadRequest(
            "The image in config.model has no url: an image is always sent whole, so nothing was sent.",
            hint="get_endpoint with response_format=detailed shows the whole image of an endpoint.",
        )


def _sleep_of_the_sleepless(payload: dict[str, Any], current: Endpoint | None) -> None:
    scaling = (payload.get("compute") or {}).get("scaling") or {}
    kept = scaling.get("minReplica", current.compute.scaling.min_replica if current else 0)
    if scaling.get("scaleToZeroTimeout") and isinstance(kept, int) and kept > 0:
        raise BadRequest(
            f"It would never scale to zero, since min_replica={kept} keeps it running: nothing was sent.",
            hint="Set min_replica=0, or leave scale_to_zero_timeout out.",
        )
