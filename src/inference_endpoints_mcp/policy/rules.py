"""Pure: which of the operator's rules an intent breaks, and why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from inference_endpoints.errors import Refused
from inference_endpoints_mcp.policy.intent import Intent, local_file
from inference_endpoints_mcp.policy.limits import Limits

Rule = Callable[[Limits, Intent], str | None]
"""Gives the reason why an intent breaks the rule, or None."""


@dataclass(frozen=True)
class Layer:
    """Limits, and who set them. `switch` gives a rule as that person sets it."""

    limits: Limits
    whose: str
    switch: Callable[[str], str]

    def refuse(self, rule: str, reason: str) -> Refused:
        """The error that names the rule and who can change it."""
        hint = f"Only {self.whose} can change that ({self.switch(rule)})."
        return Refused(f"{reason}: nothing was changed.", hint=hint)

    def check(self, intent: Intent) -> None:
        """Raises `Refused` for the first rule that is broken."""
        for rule, reason in violations(self.limits, intent):
            raise self.refuse(rule, reason)


def of_operator(limits: Limits) -> Layer:
    return Layer(limits, "the operator of this server", flag)


def of_caller(limits: Limits) -> Layer:
    return Layer(limits, "whoever configured this connection", _header)


def violations(limits: Limits, intent: Intent) -> Iterator[tuple[str, str]]:
    """Every rule that is broken, by its name, with the reason."""
    for name, rule in _RULES.items():
        reason = rule(limits, intent)
        if reason is not None:
            yield name, reason


def flag(rule: str) -> str:
    """The rule as a flag of the command: `--max-replicas`, `--no-wake`."""
    return f"--{rule.replace('_', '-')}"


def _header(rule: str) -> str:
    return f"X-Endpoints-{rule.replace('_', '-').title()}"


def _hardware(limits: Limits, intent: Intent) -> str | None:
    return _unless_matching("Hardware", intent.after.hardware, limits.hardware)


def _repositories(limits: Limits, intent: Intent) -> str | None:
    return _unless_matching("Model", intent.after.model.repository, limits.repositories)


def _model_folders(limits: Limits, intent: Intent) -> str | None:
    path = local_file(intent.after.model.repository)
    if path is None or not limits.model_folders:
        return None
    try:
        real = path.resolve()  # a link out of a folder is not in it
    except (OSError, ValueError):
        return "The path of the model file is not a valid path"
    if any(real.is_relative_to(Path(folder).expanduser().resolve()) for folder in limits.model_folders):
        return None
    return f"Model files may only be in {' or '.join(limits.model_folders)}, not behind links that lead elsewhere"


def _types(limits: Limits, intent: Intent) -> str | None:
    if not limits.types or intent.after.type.value in limits.types:
        return None
    return f"Endpoints may only be {' or '.join(limits.types)}"


def _max_replicas(limits: Limits, intent: Intent) -> str | None:
    if limits.max_replicas is None or intent.most_replicas <= limits.max_replicas:
        return None
    return f"An endpoint may have at most {limits.max_replicas} replica(s), and this could have {intent.most_replicas}"


def _no_always_on(limits: Limits, intent: Intent) -> str | None:
    compute = intent.after.compute
    if not limits.no_always_on or compute.accelerator == "cpu" or compute.scaling.min_replica == 0:
        return None
    return "Accelerators must be able to scale to zero (min_replica=0)"


def _no_wake(limits: Limits, intent: Intent) -> str | None:
    return "Calling may not wake an endpoint that is scaled to zero" if intent.wakes and limits.no_wake else None


def _unless_matching(what: str, value: str, patterns: tuple[str, ...]) -> str | None:
    if not patterns or any(fnmatchcase(value, pattern) for pattern in patterns):
        return None
    return f"{what} must match {' or '.join(patterns)}"


_RULES: dict[str, Rule] = {
    "hardware": _hardware,
    "repositories": _repositories,
    "model_folders": _model_folders,
    "types": _types,
    "max_replicas": _max_replicas,
    "no_always_on": _no_always_on,
    "no_wake": _no_wake,
}
