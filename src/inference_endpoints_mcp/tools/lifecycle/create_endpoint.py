"""Create an endpoint: planned first, and sent exactly as the plan shows."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from inference_endpoints.deploy import preflight
from inference_endpoints.deploy.plan import Plan, plan_create
from inference_endpoints.deploy.specs import EndpointSpec, check_name, differences
from inference_endpoints.errors import AlreadyExists, NoCapacity, NotFound, QuotaExceeded
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import Step, proposal_of, proposing
from inference_endpoints_mcp.tools.arguments import Config, DryRun, EndpointName, HardwareId, Namespace, SecretNames
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.lifecycle.defaults import Asked, fill_in, names_engine
from inference_endpoints_mcp.tools.lifecycle.hardware_checks import cannot_run, with_alternatives
from inference_endpoints_mcp.tools.lifecycle.request_body import complete
from inference_endpoints_mcp.tools.outputs import (
    EndpointAnswer,
    billing_from_now,
    call_of,
    facts_of,
    plan_answer,
    preview_of,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

Replicas = Annotated[int, Field(ge=0, le=100)]
Env = Annotated[dict[str, str], Field(description="Environment of the container. No secrets.")]
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
    warnings = taken + (await cannot_run(call, plan) if dry_run else [])
    return Step(
        proposal=proposal_of(call, plan, namespace, name, current).warning(*warnings),
        preview=preview_of(call.endpoints.backend.name, plan, namespace, name).model_copy(
            update={"chosen": chosen.why or None}
        ),
        act=partial(_create, call, plan, namespace, name, chosen.why),
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
        raise await with_alternatives(call, namespace, error, plan.cost.hardware) from error
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
