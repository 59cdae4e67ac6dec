"""Creating an endpoint and changing it. Both are planned first, and send exactly what the plan shows."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from inference_endpoints.deploy import preflight
from inference_endpoints.deploy.hardware import Offer, alternatives, find, offers
from inference_endpoints.deploy.plan import Plan, hardware_after, plan_create, plan_update
from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, check_name, differences
from inference_endpoints.errors import AlreadyExists, BadRequest, Conflict, NoCapacity, NotFound, QuotaExceeded
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.tools.answers import (
    EndpointAnswer,
    backend_of_hardware,
    billing_from_now,
    call_of,
    facts_of,
    plan_answer,
)
from inference_endpoints_mcp.tools.approved_change import Step, proposal_of, proposing
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, HardwareId, JsonObject, Namespace
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.lifecycle.defaults import Asked, accelerators_of, fill_in, names_engine
from inference_endpoints_mcp.tools.lifecycle.request_body import complete
from inference_endpoints_mcp.tools.spec import Toolset, tool

Replicas = Annotated[int, Field(ge=0, le=100)]
Config = Annotated[
    JsonObject, Field(description="Further settings, nested as in the API (compute, model, …). No secrets.")
]
Env = Annotated[dict[str, str], Field(description="Environment of the container. No secrets.")]
SecretNames = Annotated[list[str], Field(max_length=30, description="Secrets, by the names the operator lends.")]
Clearable = Literal["args", "command", "tags", "revision", "scale_to_zero_timeout"]
Access = Literal["", "public", "authenticated", "private"]


@tool(uses=operations.CREATE, toolset=Toolset.LIFECYCLE, title="Create an endpoint")
@proposing
async def create_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    repository: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description="Model id on the Hub, or on a local backend also the path of a GGUF file.",
        ),
    ],
    hardware: Annotated[
        HardwareId,
        Field(
            description="An id as get_vendors prints it. Default: this machine if the backend is local, "
            "else the cheapest that holds the model."
        ),
    ] = "",
    namespace: Namespace = "",
    task: Annotated[str, Field(max_length=64, description="E.g. text-generation. Default: the model's own.")] = "",
    revision: Annotated[str, Field(max_length=96)] = "",
    framework: Annotated[Literal["", "pytorch", "custom", "llamacpp"], Field()] = "",
    min_replica: Annotated[Replicas, Field(description="0 lets it scale to zero when idle.")] = 0,
    max_replica: Annotated[int, Field(ge=1, le=100)] = 1,
    scale_to_zero_timeout: Annotated[int, Field(ge=1, le=10_080, description="Idle minutes.")] = 15,
    type: Annotated[Access, Field(description="Who may call it. Default: private.")] = "",
    env: Env = {},  # noqa: B006
    secret_names: SecretNames = [],  # noqa: B006
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
) -> Step | EndpointAnswer:
    """Deploy a model as a new endpoint; it is billed from then on. What is left open is chosen, and explained.
    Returns once accepted: then wait_for_endpoint. Creating again with the same settings changes nothing."""
    namespace, name = await call.target(endpoint_name, namespace)
    check_name(name)
    current = await _found(call, namespace, name)
    asked = Asked(repository, hardware, task, framework, own_engine=names_engine(config))
    chosen = await fill_in(call, namespace, asked, current)
    sleeps = min_replica == 0 or "scale_to_zero_timeout" in call.sent
    spec = EndpointSpec.checked(
        name=name,
        repository=repository,
        hardware=chosen.hardware,
        task=chosen.task,
        revision=revision or None,
        framework=chosen.framework or "pytorch",
        image=chosen.image,
        min_replica=min_replica,
        max_replica=max_replica,
        scale_to_zero_timeout=scale_to_zero_timeout if sleeps else None,
        type=type or "private",
        env=env or None,
    )
    payload = complete(spec.payload(), config, secret_names, call)
    preflight.check(payload, chosen.accelerators)
    different = _different(current, payload) if current else []
    if current and not (different and dry_run):
        return await _existing(call, current, different, namespace)
    plan = plan_create(payload, namespace, await call.listing.vendors(namespace))
    taken = [f"The name is taken, by an endpoint with other settings ({', '.join(different)})."] if different else []
    warnings = taken + (await _cannot_run(call, plan) if dry_run else [])
    return Step(
        proposal=proposal_of(call, plan, namespace, name, current).warning(*warnings),
        preview=_preview(call, plan, namespace, name).model_copy(update={"chosen": chosen.why or None}),
        act=partial(_create, call, plan, namespace, name, chosen.why),
        dry_run=dry_run,
    )


@tool(uses=operations.UPDATE, toolset=Toolset.LIFECYCLE, title="Update an endpoint")
@proposing
async def update_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    hardware: Annotated[HardwareId, Field(description="Of the same vendor and region.")] = "",
    repository: Annotated[str, Field(max_length=512)] = "",
    task: Annotated[str, Field(max_length=64)] = "",
    revision: Annotated[str, Field(max_length=96)] = "",
    min_replica: Annotated[int, Field(ge=-1, le=100, description="-1: as it is.")] = -1,
    max_replica: Annotated[int, Field(ge=-1, le=100, description="-1: as it is.")] = -1,
    scale_to_zero_timeout: Annotated[int, Field(ge=0, le=10_080, description="Idle minutes; 0: as it is.")] = 0,
    env: Annotated[dict[str, str], Field(description="Variables to set; others stay. No secrets.")] = {},  # noqa: B006
    clear: Annotated[list[Clearable], Field(description="Settings to unset.")] = [],  # noqa: B006
    secret_names: SecretNames = [],  # noqa: B006
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
) -> Step | EndpointAnswer:
    """Change settings of an endpoint; what is not given stays as it is. Replicas are replaced, and the price can
    change. Returns once accepted: then wait_for_endpoint."""
    namespace, name = await call.target(endpoint_name, namespace)
    current = await call.endpoints.get(name, namespace)
    vendors = await call.listing.vendors(namespace)
    change = EndpointChange.checked(
        **(_hardware_change(current, offers(vendors), hardware) if hardware else {}),
        repository=repository or None,
        task=task or None,
        revision=revision or None,
        min_replica=None if min_replica < 0 else min_replica,
        max_replica=None if max_replica < 0 else max_replica,
        scale_to_zero_timeout=scale_to_zero_timeout or None,
        env=env if "env" in call.sent else None,
    )
    given = {} if (config or secret_names or clear) and _is_empty(change) else change.payload()
    payload = complete(given, config, secret_names, call, clear)
    preflight.check(payload, accelerators_of(hardware_after(payload, current), vendors), current)
    plan = plan_update(payload, current, namespace, vendors)
    preview = _preview(call, plan, namespace, name, current)
    if not plan.changes and not dry_run:
        return preview.model_copy(
            update={"plan": plan_answer(plan), "now": "It already is as asked: nothing was sent."}
        )
    return Step(
        proposal=proposal_of(call, plan, namespace, name, current).warning(
            *(await _cannot_run(call, plan) if dry_run else [])
        ),
        preview=preview,
        act=partial(_update, call, plan, namespace, name),
        dry_run=dry_run,
    )


async def _found(call: CallScope, namespace: str, name: str) -> Endpoint | None:
    try:
        return await call.endpoints.get(name, namespace)
    except NotFound:
        return None


async def _create(call: CallScope, plan: Plan, namespace: str, name: str, why: list[str]) -> EndpointAnswer:
    assert plan.payload is not None
    try:
        created = await call.endpoints.create_from(call.lent.filled(plan.payload), namespace)
    except AlreadyExists:
        current = await call.endpoints.get(name, namespace)
        return await _existing(call, current, _different(current, plan.payload), namespace)
    except (NoCapacity, QuotaExceeded) as error:
        raise await _with_alternatives(call, namespace, error, plan.cost.hardware) from error
    call.changed(namespace, created)
    prices = await call.listing.prices(namespace)
    facts = facts_of(created, namespace, prices, call.endpoints.backend.name)
    return EndpointAnswer(
        **facts,
        changed=True,
        plan=plan_answer(plan.model_copy(update={"payload": None})),
        now=f"Accepted: a replica is starting. {billing_from_now(facts['backend'], facts['price_per_hour_usd'])}",
        chosen=why or None,
        next=[call_of("wait_for_endpoint", namespace, name)],
    )


async def _update(call: CallScope, plan: Plan, namespace: str, name: str) -> EndpointAnswer:
    assert plan.payload is not None
    try:
        updated = await call.endpoints.update_from(name, call.lent.filled(plan.payload), namespace)
    except (NoCapacity, QuotaExceeded) as error:
        raise await _with_alternatives(call, namespace, error, plan.cost.hardware, only_there=True) from error
    call.changed(namespace, updated)
    prices = await call.listing.prices(namespace)
    return EndpointAnswer(
        **facts_of(updated, namespace, prices, call.endpoints.backend.name),
        changed=True,
        plan=plan_answer(plan),
        now=f"Accepted: {', '.join(change.setting for change in plan.changes)}. It is {updated.state.value}.",
        next=[call_of("wait_for_endpoint", namespace, name)] if updated.state.changing else [],
    )


def _preview(call: CallScope, plan: Plan, namespace: str, name: str, current: Endpoint | None = None) -> EndpointAnswer:
    backend = call.endpoints.backend.name
    facts = facts_of(current, namespace, None, backend) if current else {"endpoint_name": name, "namespace": namespace}
    facts |= {"hardware": plan.cost.hardware, "backend": backend_of_hardware(plan.cost.hardware, backend)}
    return EndpointAnswer(**facts, changed=False)


def _different(current: Endpoint, payload: dict[str, Any]) -> list[str]:
    """The settings in which an endpoint is not what a payload asks for. Of secrets only the names are known."""
    model = dict(payload["model"])
    missing = set(model.pop("secrets", {})) - set(current.model.secrets)
    different = {*differences(current, payload | {"model": model}), *(["model.secrets"] if missing else [])}
    return sorted(different)


async def _existing(call: CallScope, current: Endpoint, different: list[str], namespace: str) -> EndpointAnswer:
    """The name is taken: by the same endpoint, which is a success, or by another, which is not."""
    if different:
        raise AlreadyExists(
            f"An endpoint {namespace}/{current.name} exists with other settings ({', '.join(different)}): "
            "nothing was changed.",
            hint="Call update_endpoint to change it, or choose another name.",
        )
    prices = await call.listing.prices(namespace)
    return EndpointAnswer(
        **facts_of(current, namespace, prices, call.endpoints.backend.name),
        changed=False,
        now=f"It exists with the same settings and is {current.state.value}: nothing was changed.",
        next=[call_of("wait_for_endpoint", namespace, current.name)] if current.state.changing else [],
    )


async def _cannot_run(call: CallScope, plan: Plan) -> list[str]:
    """What there is to say of a model this machine is not known to run. Files are looked at only when they are used."""
    repository = str(((plan.payload or {}).get("model") or {}).get("repository") or "")
    here = call.endpoints.backend.name == LOCAL and plan.cost.hardware.startswith(f"{LOCAL}-")
    if not here or not repository or repository.startswith(("/", "file:")) or repository.lower().endswith(".gguf"):
        return []
    try:
        suggested = (await call.endpoints.suggestion(repository)).suggested_compute or ""
    except NotFound:
        suggested = ""
    if suggested.startswith(f"{LOCAL}-"):
        return []
    elsewhere = " get_recommended_config names simulated hardware that would." if suggested else ""
    return [f"This machine is not known to run this model: list_catalog_items lists those it can.{elsewhere}"]


def _hardware_change(current: Endpoint, available: list[Offer], hardware: str) -> dict[str, str]:
    offer = find(available, hardware)
    if (offer.hardware.vendor, offer.hardware.region) != (current.provider.vendor, current.provider.region):
        raise BadRequest(
            "Vendor and region of an endpoint cannot be changed: nothing was sent.",
            hint="Create another endpoint there, then delete this one.",
        )
    return {
        "accelerator": offer.hardware.accelerator,
        "instance_type": offer.hardware.instance_type,
        "instance_size": offer.hardware.instance_size,
    }


async def _with_alternatives(
    call: CallScope, namespace: str, error: Conflict, hardware: str, *, only_there: bool = False
) -> Conflict:
    """The same error, with what could be had instead, or what of it is in the same place."""
    call.listing.changed(namespace)
    available = offers(await call.listing.vendors(namespace))
    wanted = next((offer for offer in available if offer.id == hardware), None)
    there = [offer for offer in available if wanted and (not only_there or offer.place == wanted.place)]
    others = [f"{offer.id} (${offer.price or 0:.2f}/h)" for offer in (alternatives(there, wanted) if wanted else [])]
    instead = f"Within quota and available: {', '.join(others)}." if others else "Nothing like it is available now."
    return type(error)(
        f"{hardware}: {error.message} Nothing was changed.", hint=instead, status=error.status, upstream=error.upstream
    )


def _is_empty(change: EndpointChange) -> bool:
    return not change.model_dump(exclude_none=True)
