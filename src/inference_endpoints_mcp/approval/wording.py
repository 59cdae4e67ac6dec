"""Pure: what a plan costs, opens and interrupts, in sentences for a person. Strangers' strings are quoted."""

import json
import re
from collections.abc import Iterator
from typing import Any

from inference_endpoints.deploy.exposure import Exposure, ExposureKind
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.models import EndpointConfiguration
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.policy.plain_values import is_plain

LONGEST_QUOTE = 100
"""Characters of a string that is not itself approved."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_CALLERS = {
    "public": "Anyone on the internet may call it, without a token.",
    "authenticated": "Every account on Hugging Face may call it.",
}


def quoted(value: Any, limit: int | None = None) -> str:
    """A value as JSON in ASCII: it can neither end its own quotes nor hide a character. Cut to `limit` characters."""
    text = json.dumps(value, sort_keys=True)
    return text if limit is None or len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def named(text: str) -> str:
    """The name of hardware or of a secret: quoted where it is no plain word."""
    return text if _PLAIN.fullmatch(text) else quoted(text, LONGEST_QUOTE)


def describe_cost(proposal: Proposal) -> str:
    """What the endpoint costs now, and what it can come to cost."""
    plan, cost = proposal.plan, proposal.plan.cost
    if proposal.current is None or plan.per_hour_now == 0:
        now = "It costs nothing now"
    else:
        now = f"It costs ${plan.per_hour_now:g} per hour now" if plan.per_hour_now else "What it costs now is unknown"
    if cost.per_hour_at_max is None:
        return f"{now}. Its price is not published."
    if cost.per_hour_at_max == 0:
        return f"{now}, and nothing afterwards."
    hardware = named(cost.hardware_id)
    if proposal.backend == "local":
        return f"{now}. It runs on {hardware}, which costs nothing."
    simulated = "; simulated, so nothing is billed" if proposal.backend == "simulated" else ""
    return (
        f"{now}. It may then cost ${cost.per_hour_at_min:g} to ${cost.per_hour_at_max:g} per hour on {hardware} "
        f"(${cost.per_month_at_max:g} a month at most{simulated})."
    )


def describe_exposures(plan: Plan, after: EndpointConfiguration) -> Iterator[str]:
    """What the plan opens to others: each secret with the place it goes to."""
    for exposure in plan.exposes:
        if exposure.kind is ExposureKind.CALLERS:
            yield _CALLERS.get(exposure.subject, f"Who may call it becomes {quoted(exposure.subject)}.")
        elif exposure.kind is ExposureKind.SECRET:
            yield f"The secret {named(exposure.subject)} goes to {_code(after)}."
    if code := _subjects(plan, ExposureKind.CODE):
        secrets = ", ".join(named(name) for name in sorted(after.model.secrets))
        given = _subjects(plan, ExposureKind.SECRET)  # where they go is shown with each
        where = "" if given else f" They then go to {_code(after)}."
        yield f"What runs with its secrets ({secrets}) changes: {code}.{where}"
    if settings := _subjects(plan, ExposureKind.SETTING):
        yield f"Settings that may open it to others change: {settings}."


def _subjects(plan: Plan, kind: ExposureKind) -> str:
    found: list[Exposure] = [exposure for exposure in plan.exposes if exposure.kind is kind]
    return ", ".join(named(exposure.subject) for exposure in found)


def _code(after: EndpointConfiguration) -> str:
    """What runs with the secrets: the model, and the container where it is not the service's own."""
    model, image = after.model, after.model.image
    url = image.settings.get("url") if image else None
    parts = [f"the code and weights of {quoted(model.repository)}"]
    parts += [f"at revision {quoted(model.revision)}"] if model.revision else []
    parts += [f"in the container {quoted(url)}"] if url else []
    parts += [f"started by {quoted(model.command)}"] if model.command else []
    parts += [f"with the arguments {quoted(model.args)}"] if model.args else []
    telling = {name: value for name, value in model.env.items() if not is_plain(value)}
    parts += [f"with the variables {quoted(telling)}"] if telling else []
    return " ".join(parts)
