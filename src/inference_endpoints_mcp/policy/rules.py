"""Pure: which rules a planned start breaks, and why."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from inference_endpoints.models import MAX_SCALE_TO_ZERO_TIMEOUT_MIN
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.model_bounds import find_violation, image_violation
from inference_endpoints_mcp.policy.owned_limits import OwnedLimits
from inference_endpoints_mcp.policy.planned_start import PlannedStart

Rule = Callable[[Limits, PlannedStart], str | None]
"""Returns the reason why a start breaks the rule, or None."""


def check_start(owned: OwnedLimits, start: PlannedStart) -> None:
    """Raises `Refused` for the first rule that is broken."""
    for rule, reason in violations(owned.limits, start):
        raise owned.refuse(rule, reason)


def violations(limits: Limits, start: PlannedStart) -> Iterator[tuple[str, str]]:
    """Every rule that is broken, by its name, with the reason."""
    for name, rule in _RULES.items():
        reason = rule(limits, start)
        if reason is not None:
            yield name, reason


def _hardware(limits: Limits, start: PlannedStart) -> str | None:
    broken = (_unless_matching("Hardware", name, limits.hardware) for name in sorted(start.after.hardware_ids))
    return next((reason for reason in broken if reason is not None), None)


def _repositories(limits: Limits, start: PlannedStart) -> str | None:
    if not limits.repositories:
        return None
    return find_violation(start.after.model, limits.repositories, limits.images)


def _images(limits: Limits, start: PlannedStart) -> str | None:
    return image_violation(start.after.model, limits.images) if limits.images else None


def _model_folders(limits: Limits, start: PlannedStart) -> str | None:
    return outside_model_folders(limits, start.after.model.repository)


def _types(limits: Limits, start: PlannedStart) -> str | None:
    if not limits.types or start.after.type.value in limits.types:
        return None
    return f"Endpoints may only be {' or '.join(limits.types)}"


def _max_replicas(limits: Limits, start: PlannedStart) -> str | None:
    if limits.max_replicas is None or start.most_replicas <= limits.max_replicas:
        return None
    return f"An endpoint may have at most {limits.max_replicas} replica(s), and this could have {start.most_replicas}"


def _no_always_on(limits: Limits, start: PlannedStart) -> str | None:
    has_none = start.offer is not None and start.offer.instance.accelerator == "cpu"
    if not limits.no_always_on or has_none or not start.keeps_replicas:
        return None
    return (
        "Accelerators must be able to scale to zero (min_replica=0, "
        f"scale_to_zero_timeout of at most {MAX_SCALE_TO_ZERO_TIMEOUT_MIN})"
    )


def _no_wake(limits: Limits, start: PlannedStart) -> str | None:
    return "Calling may not wake an endpoint that is scaled to zero" if start.wakes and limits.no_wake else None


def outside_model_folders(limits: Limits, repository: str) -> str | None:
    """The reason why a model file may not be used, from its path alone: the control plane opens it, and follows no
    link below these folders."""
    path = local_file(repository)
    if path is None or not limits.model_folders:
        return None
    folders = [Path(folder).expanduser().absolute() for folder in limits.model_folders]
    roots = [root for folder in folders for root in (folder, folder.resolve())]
    if ".." not in path.parts and any(path.is_relative_to(root) for root in roots):
        return None
    return f"Model files may only be in {' or '.join(limits.model_folders)}, by their absolute path without links"


def local_file(repository: str) -> Path | None:
    """The file of this machine a repository names, as an absolute path or a file:// address; None for the Hub's."""
    try:
        address = urlsplit(repository)
    except ValueError:
        return None
    path = Path(url2pathname(address.path)) if address.scheme == "file" else Path(repository)
    return path if path.is_absolute() else None


def _unless_matching(what: str, value: str, patterns: tuple[str, ...]) -> str | None:
    if not patterns or any(fnmatchcase(value, pattern) for pattern in patterns):
        return None
    return f"{what} must match {' or '.join(patterns)}"


_RULES: dict[str, Rule] = {
    "hardware": _hardware,
    "repositories": _repositories,
    "images": _images,
    "model_folders": _model_folders,
    "types": _types,
    "max_replicas": _max_replicas,
    "no_always_on": _no_always_on,
    "no_wake": _no_wake,
}
