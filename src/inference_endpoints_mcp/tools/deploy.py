"""Creating an endpoint and changing it. Both are planned first, and send exactly what the plan shows."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inference_endpoints import operations
from inference_endpoints.errors import AlreadyExists, BadRequest, Conflict, NoCapacity, QuotaExceeded
from inference_endpoints.hardware import Offer, Prices, alternatives, choose, find, offers
from inference_endpoints.models import Endpoint, Vendors
from inference_endpoints.plan import Plan, plan_create, plan_update
from inference_endpoints.specs import EndpointChange, EndpointSpec, differences
from inference_endpoints_mcp.tools.answers import (
    EndpointAnswer,
    backend_of_hardware,
    billing_from_now,
    call_of,
    facts_of,
    plan_answer,
)
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, HardwareId, JsonObject, Namespace
from inference_endpoints_mcp.tools.ports import Call, CallScope
from inference_endpoints_mcp.tools.spec import Toolset, tool

Replicas = Annotated[int, Field(ge=0, le=100)]
Config = Annotated[
    JsonObject, Field(description="Further settings, nested as in the API (compute, model, …). No secrets.")
]
Env = Annotated[dict[str, str], Field(description="Environment of the container. No secrets.")]
_OF_THEIR_OWN = {"name", "provider"}
_OBJECTS = {"compute", "compute.scaling", "model", "model.env", "model.image"}
Access = Literal["", "public", "authenticated", "private"]


@tool(uses=operations.CREATE, toolset=Toolset.LIFECYCLE, title="Create an endpoint")
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
            description="An id as get_vendors prints it. Default: this machine "
            "where the backend is local, else the cheapest GPU available."
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
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
) -> EndpointAnswer:
    """Deploy a model as a new endpoint; it is billed from then on. Returns once accepted: then wait_for_endpoint.
    Creating again with the same settings changes nothing."""
    namespace, name = await call.target(endpoint_name, namespace)
    vendors = await call.listing.vendors(namespace)
    available = offers(vendors)
    offer = find(available, hardware) if hardware else choose(available)
    spec = EndpointSpec.checked(
        name=name,
        repository=repository,
        hardware=offer.hardware,
        task=task or None,
        revision=revision or None,
        framework=framework or "pytorch",
        min_replica=min_replica,
        max_replica=max_replica,
        scale_to_zero_timeout=scale_to_zero_timeout if min_replica == 0 else None,
        type=type or "private",
        env=env or None,
    )
    plan = plan_create(_with_config(spec.payload(), config), namespace, vendors)
    if dry_run:
        return _planned(plan, namespace, name, call)
    assert plan.payload is not None
    try:
        created = await call.endpoints.create_from(plan.payload, namespace)
    except AlreadyExists as error:
        return await _existing(call, plan.payload, namespace, name, error)
    except (NoCapacity, QuotaExceeded) as error:
        raise await _with_alternatives(call, namespace, error, offer) from error
    call.changed(namespace, created)
    return _accepted(call, created, namespace, vendors, plan, chosen=not hardware)


@tool(uses=operations.UPDATE, toolset=Toolset.LIFECYCLE, title="Update an endpoint")
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
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
) -> EndpointAnswer:
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
    payload = _with_config({} if config and _is_empty(change) else change.payload(), config)
    plan = plan_update(payload, current, namespace, vendors)
    if dry_run or not plan.changes:
        answer = _planned(plan, namespace, name, call, current)
        return answer if dry_run else answer.model_copy(update={"now": "It already is as asked: nothing was sent."})
    try:
        updated = await call.endpoints.update_from(name, payload, namespace)
    except (NoCapacity, QuotaExceeded) as error:
        wanted = find(offers(vendors), plan.cost.hardware)
        raise await _with_alternatives(call, namespace, error, wanted, place=wanted.place) from error
    call.changed(namespace, updated)
    prices = await call.listing.prices(namespace)
    return EndpointAnswer(
        **facts_of(updated, namespace, prices, call.endpoints.backend.name),
        changed=True,
        plan=plan_answer(plan),
        now=f"Accepted: {', '.join(change.setting for change in plan.changes)}. It is {updated.state.value}.",
        next=[call_of("wait_for_endpoint", namespace, name)] if updated.state.changing else [],
    )


def _accepted(
    call: CallScope, created: Endpoint, namespace: str, vendors: Vendors, plan: Plan, *, chosen: bool
) -> EndpointAnswer:
    facts = facts_of(created, namespace, Prices(vendors), call.endpoints.backend.name)
    why = f" Hardware was not given: {plan.cost.hardware} is the cheapest that is available." if chosen else ""
    billed = billing_from_now(facts["backend"], facts["price_per_hour_usd"])
    return EndpointAnswer(
        **facts,
        changed=True,
        plan=plan_answer(plan.model_copy(update={"payload": None})),
        now=f"Accepted: a replica is starting. {billed}{why}",
        next=[call_of("wait_for_endpoint", namespace, created.name)],
    )


def _planned(plan: Plan, namespace: str, name: str, call: CallScope, current: Endpoint | None = None) -> EndpointAnswer:
    backend = call.endpoints.backend.name
    facts = facts_of(current, namespace, None, backend) if current else {"endpoint_name": name, "namespace": namespace}
    facts |= {"hardware": plan.cost.hardware, "backend": backend_of_hardware(plan.cost.hardware, backend)}
    return EndpointAnswer(**facts, changed=False, plan=plan_answer(plan), now="Dry run: nothing was changed.")


async def _existing(
    call: CallScope, payload: dict[str, Any], namespace: str, name: str, error: AlreadyExists
) -> EndpointAnswer:
    """The name is taken: by the same endpoint, which is a success, or by another, which is not."""
    current = await call.endpoints.get(name, namespace)
    different = differences(current, payload)
    if different:
        raise AlreadyExists(
            f"An endpoint {namespace}/{name} exists with other settings ({', '.join(sorted(different))}): "
            "nothing was changed.",
            hint="Call update_endpoint to change it, or choose another name.",
        ) from error
    prices = await call.listing.prices(namespace)
    return EndpointAnswer(
        **facts_of(current, namespace, prices, call.endpoints.backend.name),
        changed=False,
        now=f"It exists with the same settings and is {current.state.value}: nothing was changed.",
        next=[call_of("wait_for_endpoint", namespace, name)] if current.state.changing else [],
    )


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
    call: CallScope, namespace: str, error: Conflict, wanted: Offer, *, place: tuple[str, str] | None = None
) -> Conflict:
    """The same error, with what could be had instead: only in this place, if one is given."""
    call.listing.changed(namespace)
    available = offers(await call.listing.vendors(namespace))
    there = [offer for offer in available if place in (None, offer.place)]
    others = [f"{offer.id} (${offer.price or 0:.2f}/h)" for offer in alternatives(there, wanted)]
    instead = f"Within quota and available: {', '.join(others)}." if others else "Nothing like it is available now."
    return type(error)(
        f"{wanted.id}: {error.message} Nothing was changed.", hint=instead, status=error.status, upstream=error.upstream
    )


def _is_empty(change: EndpointChange) -> bool:
    return not change.model_dump(exclude_none=True)


def _with_config(payload: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The payload with the caller's nested settings merged in. Raises `BadRequest` on what may not stand there."""
    if any(_holds(config, name) for name in ("secrets", "credentials")):
        raise BadRequest(
            "config may not hold secrets or credentials: what a model reads or writes is no secret. Nothing was sent.",
            hint="Leave them out; the operator can set them on the endpoint itself.",
        )
    if own := sorted(_OF_THEIR_OWN & set(config)):
        raise BadRequest(
            f"config may not hold {' or '.join(own)}: nothing was sent.",
            hint="endpoint_name and hardware say that, and neither name nor place of an endpoint can change.",
        )
    if config.get("type") == "protected":
        raise BadRequest("The type 'protected' makes an endpoint nobody can reach.", hint="Take private.")
    return _merged(payload, config)


def _holds(value: Any, name: str) -> bool:
    if isinstance(value, list):
        return any(_holds(item, name) for item in value)
    if isinstance(value, dict):
        return bool(value.get(name)) or _holds(list(value.values()), name)
    return False


def _merged(below: dict[str, Any], above: dict[str, Any], path: str = "") -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        where, inner = f"{path}{key}", merged.get(key)
        if where in _OBJECTS and not isinstance(value, dict):
            raise BadRequest(f"config.{where} is an object in the API: nothing was sent.")
        nested = isinstance(value, dict) and isinstance(inner, dict) and key != "image"
        merged[key] = _merged(inner, value, f"{where}.") if nested and isinstance(inner, dict) else value
    return merged
