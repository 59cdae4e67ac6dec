"""Pure: which of the operator's rules an intent breaks."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from inference_endpoints.errors import Refused
from inference_endpoints_mcp.guard.intent import Intent
from inference_endpoints_mcp.guard.limits import Limits

Rule = Callable[[Limits, Intent], str | None]
"""Says what an intent breaks, or None."""


def check(limits: Limits, intent: Intent, whose: str) -> None:
    """Raises `Refused`, naming the rule and who can change it, for the first rule that is broken."""
    for name, said in broken(limits, intent):
        raise refused(name, said, whose)


def broken(limits: Limits, intent: Intent) -> Iterator[tuple[str, str]]:
    """Every rule that is broken, by its name, with what breaks it."""
    for name, rule in _RULES.items():
        said = rule(limits, intent)
        if said is not None:
            yield name, said


def refused(rule: str, said: str, whose: str) -> Refused:
    return Refused(f"{said}: nothing was changed.", hint=f"Only {whose} can change that (--{rule.replace('_', '-')}).")


def _hardware(limits: Limits, intent: Intent) -> str | None:
    return _unless_matching("Hardware", intent.hardware, limits.hardware)


def _repositories(limits: Limits, intent: Intent) -> str | None:
    return _unless_matching("Model", intent.repository, limits.repositories)


def _types(limits: Limits, intent: Intent) -> str | None:
    if not limits.types or intent.type in limits.types:
        return None
    return f"Endpoints may only be {' or '.join(limits.types)}"


def _max_replicas(limits: Limits, intent: Intent) -> str | None:
    if limits.max_replicas is None or intent.most <= limits.max_replicas:
        return None
    return f"An endpoint may have at most {limits.max_replicas} replica(s), and this could have {intent.most}"


def _no_always_on(limits: Limits, intent: Intent) -> str | None:
    if not limits.no_always_on or intent.accelerator == "cpu" or intent.fewest == 0:
        return None
    return "Accelerators must be able to scale to zero (min_replica=0)"


def _wake(limits: Limits, intent: Intent) -> str | None:
    return "Calling may not wake an endpoint that is scaled to zero" if intent.wakes and not limits.wake else None


def _unless_matching(what: str, value: str, patterns: tuple[str, ...]) -> str | None:
    if not patterns or any(fnmatchcase(value, pattern) for pattern in patterns):
        return None
    return f"{what} must match {' or '.join(patterns)}"


_RULES: dict[str, Rule] = {
    "hardware": _hardware,
    "repositories": _repositories,
    "types": _types,
    "max_replicas": _max_replicas,
    "no_always_on": _no_always_on,
    "wake": _wake,
}
