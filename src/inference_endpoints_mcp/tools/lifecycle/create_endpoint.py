"""Create an endpoint: planned first, and sent exactly as the plan shows."""

from functools import partial
from typing import Annotated

from pydantic import Field

from inference_endpoints.deploy import preflight
from inference_endpoints.deploy.offers import find_offer, list_offers
from inference_endpoints.deploy.plan import Plan, plan_create
from inference_endpoints.deploy.specs import EndpointSpec, check_name, differences
from inference_endpoints.errors import AlreadyExists, NoCapacity, QuotaExceeded
from inference_endpoints.models import DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN, CreateRequest, Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.model_bounds import check_bindings
from inference_endpoints_mcp.tools.approved_change import ProposedChange, carry_out, proposal_of
from inference_endpoints_mcp.tools.arguments import (
    Access,
    Config,
    DryRun,
    EndpointName,
    Env,
    Framework,
    HardwareId,
    IdleMinutes,
    Namespace,
    PlanToken,
    SecretNames,
)
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.catalog.known_models import ModelLookup
from inference_endpoints_mcp.tools.lifecycle.choice import find_endpoint
from inference_endpoints_mcp.tools.lifecycle.request_body import complete
from inference_endpoints_mcp.tools.lifecycle.setting_choice import (
    SettingArguments,
    check_planned_model,
    choose_settings,
    local_run_warnings,
    names_engine,
    with_alternatives,
    with_model_path,
)
from inference_endpoints_mcp.tools.outputs import (
    EndpointOutput,
    billing_note,
    describe_endpoint,
    next_call,
    preview_output,
    state_word,
)
from inference_endpoints_mcp.tools.plan_summary import plan_summary
from inference_endpoints_mcp.tools.reading import read_together
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.CREATE, further=[Effect.EXPOSES], toolset=Toolset.LIFECYCLE, title="Create an endpoint")
async def create_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    repository: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description="Model id on the Hub; on a local backend also the path of a GGUF file.",
        ),
    ],
    hardware: Annotated[
        HardwareId,
        Field(
            description="An id from get_vendors. Default: your own on a local backend, "
            "else the cheapest that holds the model."
        ),
    ] = "",
    namespace: Namespace = "",
    task: Annotated[str, Field(max_length=64, description="E.g. text-generation. Default: the model's own.")] = "",
    revision: Annotated[str, Field(max_length=96)] = "",
    framework: Framework = "auto",
    min_replica: Annotated[int, Field(ge=0, le=100, description="0 lets it scale to zero when idle.")] = 0,
    max_replica: Annotated[int, Field(ge=1, le=100)] = 1,
    scale_to_zero_timeout: IdleMinutes = DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN,
    type: Annotated[Access, Field(description="Who may call it.")] = "private",
    env: Env = {},  # noqa: B006
    secret_names: SecretNames = [],  # noqa: B006
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Deploy a model as a new endpoint. Billing starts. Chooses the settings that are not given, and explains them.
    Returns once accepted: then call wait_for_endpoint. Creating again with the same settings changes nothing."""

    async def propose() -> ProposedChange | EndpointOutput:
        async with ModelLookup(call, repository, revision or None) as model:
            return await propose_for(model)

    async def propose_for(model: ModelLookup) -> ProposedChange | EndpointOutput:
        where, name = await call.resolve_endpoint(endpoint_name, namespace)
        check_name(name)
        engine = "" if framework == "auto" else framework
        given = SettingArguments(repository, hardware, task, engine, own_engine=names_engine(config))
        if call.endpoints.backend.name != LOCAL and not given.is_complete:
            model.begin()
        current, listing = await read_together(
            find_endpoint(call, where, name), call.hardware_cache.fresh_listing(where)
        )
        chosen = await choose_settings(given, model, current, listing)
        # A model that must give every argument gives the default.
        scales_to_zero = min_replica == 0 or scale_to_zero_timeout != DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN
        spec = EndpointSpec.checked(
            name=name,
            repository=repository,
            hardware=chosen.hardware,
            task=chosen.task,
            revision=revision or None,
            framework=chosen.framework or "pytorch",
            image=chosen.image,
            args=chosen.args,
            min_replica=min_replica,
            max_replica=max_replica,
            scale_to_zero_timeout=scale_to_zero_timeout if scales_to_zero else None,
            type=type,
            env=env or None,
        )
        request = await with_model_path(call, model, complete(spec.request(), config, secret_names, call))
        preflight.check_request(request, chosen.accelerators)
        check_bindings(request.applied_to(None).model, call.lent_secrets.bindings)
        different = _different_settings(current, request) if current else []
        if current and not (different and dry_run):
            return await _existing_output(call, current, different, where)
        preflight.check_accelerator(request, find_offer(list_offers(listing), request.applied_to(None).hardware_id))
        check = await check_planned_model(call, where, request)
        plan = plan_create(request, where, listing).with_warnings(*check.warnings)
        facts = {"chosen": chosen.why or None, "model_facts": [*check.facts] or None}
        others = ", ".join(different)
        taken = [f"An endpoint of this name exists with other settings ({others})."] if different else []
        warnings = taken + (await local_run_warnings(call, plan) if dry_run else [])
        return ProposedChange(
            proposal=proposal_of(call, plan, where, name, current).with_warnings(*warnings),
            preview=preview_output(call.endpoints.backend.name, plan, where, name).model_copy(update=facts),
            apply=partial(_create, call, plan, request, where, facts),
        )

    return await carry_out(call, propose, dry_run=dry_run, plan_token=plan_token)


async def _create(
    call: CallContext, plan: Plan, request: CreateRequest, namespace: str, facts: dict[str, list[str] | None]
) -> EndpointOutput:
    try:
        created = await call.endpoints.create(call.lent_secrets.fill_in(request), namespace)
    except AlreadyExists:
        current = await call.endpoints.get(request.name, namespace)
        return await _existing_output(call, current, _different_settings(current, request), namespace)
    except (NoCapacity, QuotaExceeded) as error:
        raise await with_alternatives(call, namespace, error, plan.cost.hardware_id) from error
    call.record_change(namespace, created)
    fields = await describe_endpoint(call, created, namespace)
    return EndpointOutput(
        **fields | facts,
        changed=True,
        plan=plan_summary(plan.model_copy(update={"request": None})),
        now=f"Accepted: a replica is starting. {billing_note(fields['backend'], fields['price_per_hour_usd'])}",
        next=[next_call("wait_for_endpoint", namespace, request.name)],
    )


def _different_settings(current: Endpoint, request: CreateRequest) -> list[str]:
    """The settings in which an endpoint differs from the request. Of secrets only the names are compared."""
    missing = request.secret_names - current.model.secrets.keys()
    return sorted({*differences(current, request.without_secrets()), *(["model.secrets"] if missing else [])})


async def _existing_output(
    call: CallContext, current: Endpoint, different: list[str], namespace: str
) -> EndpointOutput:
    """The output where the name exists: a success for the same settings. Raises `AlreadyExists` for others."""
    if different:
        raise AlreadyExists(
            f"An endpoint {namespace}/{current.name} exists with other settings ({', '.join(different)}): "
            "nothing was changed.",
            hint="Call update_endpoint to change it, or choose another name.",
        )
    return EndpointOutput(
        **await describe_endpoint(call, current, namespace),
        changed=False,
        now=f"It exists with the same settings and is {state_word(current)}: nothing was changed.",
        next=[next_call("wait_for_endpoint", namespace, current.name)] if current.state.changing else [],
    )
