"""Pure: what a request would open to others: who may call an endpoint, and what its secrets are given to.

Every setting that is not known to be safe exposes, so that none of a newer service is overlooked.
"""

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from inference_endpoints.deploy.specs import changed_settings
from inference_endpoints.models import Endpoint, UpdateRequest
from inference_endpoints.models.status import InferenceEndpointType as Type

# Who may call: nobody but the owner's own accounts, any account on Hugging Face, anyone (hf-endpoints documentation).
_OPENNESS = {Type.PRIVATE: 0, Type.PROTECTED: 0, Type.AUTHENTICATED: 1, Type.PUBLIC: 2}
_UNKNOWN_OPENNESS = 3
_HARMLESS = ("name", "type", "tags", "provider", "compute", "notifications", "cacheHttpResponses")
_HARMLESS_OF_MODEL = ("model.task", "model.secrets", "model.fromCatalog")
"""Settings of `model` that change neither the code that runs nor what it loads."""


class ExposureKind(StrEnum):
    """What is opened: the endpoint to more callers, a secret to it, its secrets to other code, or another setting."""

    CALLERS = "callers"
    SECRET = "secret"  # noqa: S105
    CODE = "code"
    SETTING = "setting"


class Exposure(BaseModel):
    """One thing that a request opens. `subject` is the new type, the name of the secret, or the setting's path."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: ExposureKind
    subject: str


def find_exposures(request: UpdateRequest, current: Endpoint | None) -> list[Exposure]:
    """Everything that a request opens, for an update of `current` or for a new endpoint.

    >>> current = EndpointsClient().get("chat")
    >>> request = UpdateRequest.model_validate({"type": "public", "model": {"args": ["--evil"]}})
    >>> [exposure.subject for exposure in find_exposures(request.with_secrets({"HF_TOKEN": "hf_mine"}), current)]
    ['public', 'HF_TOKEN', 'model.args']
    """
    after, changed = request.applied_to(current), changed_settings(current, request)
    before = current.type if current else Type.AUTHENTICATED  # a new endpoint has no callers yet
    found = [Exposure(kind=ExposureKind.SECRET, subject=name) for name in sorted(request.secret_names)]
    if after.type != before and _openness(after.type) > _openness(before):
        found.insert(0, Exposure(kind=ExposureKind.CALLERS, subject=after.type.value))
    has_secrets = bool(after.model.secrets)
    for path in changed:
        if path.startswith("model."):
            if has_secrets and not _is_one_of(path, _HARMLESS_OF_MODEL):
                found.append(Exposure(kind=ExposureKind.CODE, subject=path))
        elif not _is_one_of(path, _HARMLESS):
            found.append(Exposure(kind=ExposureKind.SETTING, subject=path))
    return found


def _openness(kind: Type) -> int:
    return _OPENNESS.get(kind, _UNKNOWN_OPENNESS)


def _is_one_of(path: str, settings: Iterable[str]) -> bool:
    return any(path == setting or path.startswith(f"{setting}.") for setting in settings)
