"""Pure: what a plan costs, opens and interrupts, in sentences for a person. Strangers' strings are quoted."""

import json
import re
from collections.abc import Iterator
from typing import Any

from inference_endpoints.deploy.exposure import Exposure, ExposureKind
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.models import EndpointConfiguration
from inference_endpoints_mcp.approval.proposal import Proposal, ProposedSet
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
    cost = proposal.plan.cost
    if cost.per_hour_now == 0:
        now = "It costs nothing now"
    else:
        now = f"It costs ${cost.per_hour_now:g} per hour now" if cost.per_hour_now else "What it costs now is unknown"
    if cost.per_hour_at_most is None:
        return f"{now}. Its price is not {'known' if proposal.backend == 'local' else 'published'}."
    if cost.per_hour_at_most == 0:
        return f"{now}, and nothing afterwards." if cost.per_hour_now != 0 else "It costs nothing now or afterwards."
    hardware = named(cost.hardware_id)
    simulated = "; simulated, so nothing is billed" if proposal.backend == "simulated" else ""
    most, month = f"${cost.per_hour_at_most:g} per hour", f"${cost.per_month_at_most:g} a month at most"
    if cost.per_hour_after == 0:
        later = "once it is resumed" if proposal.is_paused else "once a call wakes it"
        return f"{now}, and nothing afterwards; {later}, at most {most} on {hardware} ({month}{simulated})."
    after = f"It then costs ${cost.per_hour_after:g}"
    grows = cost.per_hour_after != cost.per_hour_at_most
    after += f", and at most {most}," if grows else " per hour"
    return f"{now}. {after} on {hardware} ({month}{simulated})."


def describe_sum(proposal: ProposedSet) -> str:
    """What a set costs now, and what it can come to cost: sums of known prices."""
    cost = proposal.cost
    now, after, most = (
        "an unknown price" if usd is None else f"${usd:g} per hour" if usd else "nothing"
        for usd in (cost.per_hour_now, cost.per_hour_after, cost.per_hour_at_most)
    )
    grows = f", and at most {most}" if most != after else ""
    where = {"simulated": " They are simulated, so nothing is billed.", "local": " They run on your own hardware."}
    return f"Together they cost {now} now, and {after} afterwards{grows}.{where.get(proposal.backend, '')}"


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
