"""Seeing endpoints: all of them, or one with its settings."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from inference_endpoints.deploy.copying import settings_of
from inference_endpoints.deploy.hardware import Prices
from inference_endpoints.models import Endpoint, rfc3339
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.untrusted_text import line
from inference_endpoints_mcp.tools.all_namespaces import EVERY_NAMESPACE, ask
from inference_endpoints_mcp.tools.answers import (
    EndpointDetails,
    EndpointList,
    EndpointRow,
    NextCall,
    backend_of,
    call_of,
    facts_of,
    paged,
)
from inference_endpoints_mcp.tools.arguments import (
    EndpointName,
    Limit,
    Namespace,
    NamespaceOrAll,
    Offset,
    ResponseFormat,
    State,
)
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.lifecycle.reusable_settings import Shown, shown
from inference_endpoints_mcp.tools.spec import Toolset, tool

SETTINGS_SHOWN = 30
"""Variables, names of secrets and arguments shown of one endpoint, of each so many."""


@dataclass(frozen=True)
class _Fleet:
    """The endpoints of one namespace that match, with what they cost."""

    endpoints: list[Endpoint]
    prices: Prices


@tool(uses=operations.LIST, toolset=Toolset.LIFECYCLE, title="List endpoints")
async def list_endpoints(
    call: Call,
    namespace: NamespaceOrAll = "",
    state: Annotated[State, Field(description="Only endpoints in this state.")] = "",
    search: Annotated[str, Field(max_length=100, description="Part of a name or model.")] = "",
    limit: Limit = 20,
    offset: Offset = 0,
) -> EndpointList:
    """List endpoints with state, hardware and price, and what all of them cost per hour now."""
    backend = call.endpoints.backend.name

    async def fleet_of(namespace: str) -> _Fleet:
        found = [one for one in await call.endpoints.list(namespace) if _matches(one, state, search)]
        return _Fleet(found, await call.listing.prices(namespace))

    asked = await ask(call, namespace, fleet_of)
    everywhere = namespace == EVERY_NAMESPACE
    namespace = EVERY_NAMESPACE if everywhere else next(iter(asked.answers))
    rows = [
        _row(one if everywhere else None, fleet.prices, endpoint, backend)
        for one, fleet in asked.answers.items()
        for endpoint in fleet.endpoints
    ]
    totals = [fleet.prices.total(fleet.endpoints) for fleet in asked.answers.values()]
    cost, unpriced = sum(cost for cost, _ in totals), sum(unpriced for _, unpriced in totals)
    page, following = paged(rows, offset, limit)
    arguments = {"namespace": namespace, "state": state, "search": search, "limit": limit, "offset": following}
    return EndpointList(
        namespace=namespace,
        endpoints=page,
        total=len(rows),
        shown=len(page),
        next_offset=following,
        cost_now_per_hour_usd=round(cost, 4),
        refused=asked.refused or None,
        now=_summary(Counter(row.state for row in rows), cost, unpriced, backend) + asked.left_out,
        next=[NextCall(tool="list_endpoints", arguments=arguments)] if following else [],
    )


@tool(uses=operations.GET, toolset=Toolset.LIFECYCLE, title="Inspect an endpoint")
async def get_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", response_format: ResponseFormat = "concise"
) -> EndpointDetails:
    """Show one endpoint: state, replicas, price, address and settings. Secrets show by name only. detailed adds a
    `config` with which create_endpoint makes an equal one."""
    namespace, name = await call.target(endpoint_name, namespace)
    endpoint = await call.endpoints.get(name, namespace)
    prices = await call.listing.prices(namespace)
    model, status = endpoint.model, endpoint.status
    env = call.redactor.data({key: str(value) for key, value in model.env.items()})
    names, arguments = sorted(model.secrets), model.args or []
    left_out = sum(max(0, len(settings) - SETTINGS_SHOWN) for settings in (env, names, arguments))
    copy = shown(settings_of(endpoint), call.redactor) if response_format == "detailed" else None
    return EndpointDetails(
        **facts_of(endpoint, namespace, prices, call.endpoints.backend.name),
        type=line(endpoint.type.value, 32),
        revision=line(model.revision, 96) if model.revision else None,
        framework=line(model.framework, 64) if model.framework else None,
        engine=line(model.image.engine, 64) if model.image else None,
        image_url=_image_url(endpoint),
        env=_fenced(call, "env", [f"{name}={value}" for name, value in env.items()]),
        secret_names=[line(name) for name in names[:SETTINGS_SHOWN]] or None,
        args=_fenced(call, "args", arguments),
        tags=call.fence.wrap("tags", ", ".join(endpoint.tags), 1_000) if endpoint.tags else None,
        created_at=rfc3339(status.created_at) if status.created_at else None,
        updated_at=rfc3339(status.updated_at) if status.updated_at else None,
        last_used_at=_last_used(endpoint),
        error=call.fence.wrap("container", status.error_message, 2_000) if status.error_message else None,
        config=copy.settings if copy else None,
        now=_standing(endpoint)
        + (f" {left_out} variables or arguments are left out." if left_out else "")
        + (_copied(copy, names) if copy else ""),
        next=_next_calls(endpoint, namespace),
    )


def _fenced(call: CallScope, source: str, settings: list[str]) -> str | None:
    """Settings that others may have written, a line each."""
    shown = "\n".join(line(call.redactor.text(setting)) for setting in settings[:SETTINGS_SHOWN])
    return call.fence.wrap(source, shown) if shown else None


def _copied(copy: Shown, secrets: list[str]) -> str:
    if copy.settings is None:
        return " Its config is too long to be shown."
    missing = [*copy.left_out, *(f"model.secrets.{line(name, 60)}" for name in secrets)]
    more = f" and {len(missing) - SETTINGS_SHOWN} more" if len(missing) > SETTINGS_SHOWN else ""
    return f" Not in its config: {', '.join(missing[:SETTINGS_SHOWN])}{more}." if missing else ""


def _row(namespace: str | None, prices: Prices, endpoint: Endpoint, backend: str) -> EndpointRow:
    return EndpointRow(
        endpoint_name=endpoint.name,
        namespace=namespace,
        state=endpoint.state.value,
        repository=line(endpoint.model.repository, 80),
        hardware=endpoint.hardware,
        ready_replicas=endpoint.status.ready_replica,
        target_replicas=endpoint.status.target_replica,
        price_per_hour_usd=prices.replica(endpoint),
        last_used_at=None if endpoint.state.billed else _last_used(endpoint),
        backend=backend_of(endpoint, backend),
    )


def _last_used(endpoint: Endpoint) -> str | None:
    used = endpoint.status.last_used_at
    return rfc3339(used) if used else None


def _image_url(endpoint: Endpoint) -> str | None:
    url = endpoint.model.image.settings.get("url") if endpoint.model.image else None
    return line(str(url)) if url else None


def _matches(endpoint: Endpoint, state: str, search: str) -> bool:
    text = f"{endpoint.name} {endpoint.model.repository}".lower()
    return (not state or endpoint.state == state) and search.lower() in text


def _summary(states: Counter[str], cost: float, unpriced: int, backend: str) -> str:
    if not states:
        return "No endpoints match."
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common())
    unknown = f", {unpriced} at unknown prices not counted" if unpriced else ""
    simulated = " (simulated: nothing is billed)" if backend == LOCAL and cost else ""
    return f"{states.total()} endpoint(s): {counted}. They cost ${cost:.2f}/h now{unknown}{simulated}."


def _standing(endpoint: Endpoint) -> str:
    sentences = {
        Status.RUNNING: "It is running and can be called.",
        Status.PAUSED: "It is paused: not billed, and it does not answer until it is resumed.",
        Status.SCALED_TO_ZERO: "It is scaled to zero: not billed; the next call wakes it.",
        Status.FAILED: "It failed to deploy; its logs and `error` say why.",
        Status.UPDATE_FAILED: "Its last update failed; the configuration before it may still be serving.",
        Status.UPDATING: "An update is being applied.",
    }
    return sentences.get(endpoint.state, f"It is {endpoint.state.value}: not ready yet.")


def _next_calls(endpoint: Endpoint, namespace: str) -> list[NextCall]:
    following = {
        Status.PAUSED: "resume_endpoint",
        Status.FAILED: "diagnose_endpoint",
        Status.UPDATE_FAILED: "diagnose_endpoint",
        Status.PENDING: "wait_for_endpoint",
        Status.INITIALIZING: "wait_for_endpoint",
        Status.UPDATING: "wait_for_endpoint",
    }.get(endpoint.state)
    return [call_of(following, namespace, endpoint.name)] if following else []
