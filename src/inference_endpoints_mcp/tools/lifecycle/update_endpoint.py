"""Change endpoints: planned first, and sent exactly as the plan shows."""

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from inference_endpoints.deploy import preflight
from inference_endpoints.deploy.offers import Offer, find_offer, list_offers, require_offer
from inference_endpoints.deploy.plan import Plan, plan_update
from inference_endpoints.deploy.sizing.model_check import ModelCheck
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.errors import NoCapacity, QuotaExceeded
from inference_endpoints.models import Endpoint, UpdateRequest
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.model_bounds import check_bindings
from inference_endpoints_mcp.tools.approved_change import ProposedChange, proposal_of
from inference_endpoints_mcp.tools.arguments import (
    ClearableSetting,
    Config,
    DryRun,
    HardwareId,
    IdleMinutes,
    Names,
    NamespaceOfSet,
    OneName,
    PlanToken,
    SecretNames,
    Variables,
    Where,
    object_or_text,
)
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.lifecycle.change_set import SummaryWords, carry_out_on
from inference_endpoints_mcp.tools.lifecycle.choice import Choice, Target
from inference_endpoints_mcp.tools.lifecycle.request_body import complete
from inference_endpoints_mcp.tools.lifecycle.setting_choice import (
    check_planned_model,
    local_run_warnings,
    with_alternatives,
)
from inference_endpoints_mcp.tools.outputs import (
    EndpointOutput,
    describe_endpoint,
    next_call,
    preview_output,
    state_word,
)
from inference_endpoints_mcp.tools.plan_summary import plan_summary
from inference_endpoints_mcp.tools.spec import Toolset, tool

_CHECKED = ("model.", "compute.accelerator", "compute.instance")
"""Settings on which it depends whether the model exists and fits."""


def _none_if_zero(minutes: Any) -> Any:
    """0 is none: a model that must give every argument gives it."""
    return None if minutes == 0 else minutes


@tool(
    uses=operations.UPDATE,
    further=[Effect.EXPOSES, Effect.SPENDS],
    toolset=Toolset.LIFECYCLE,
    title="Update an endpoint",
)
async def update_endpoint(
    call: Call,
    endpoint_name: OneName = "",
    names: Names = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    hardware: Annotated[HardwareId, Field(description="In another region: the endpoint moves there.")] = "",
    repository: Annotated[str, Field(max_length=512)] = "",
    task: Annotated[str, Field(max_length=64)] = "",
    revision: Annotated[str, Field(max_length=96)] = "",
    min_replica: Annotated[int, Field(ge=-1, le=100, description="-1: unchanged.")] = -1,
    max_replica: Annotated[int, Field(ge=-1, le=100, description="-1: unchanged.")] = -1,
    scale_to_zero_timeout: Annotated[IdleMinutes | None, BeforeValidator(_none_if_zero)] = None,
    env: Annotated[Variables, object_or_text("Variables to set; others stay. No secrets.")] = {},  # noqa: B006
    clear: Annotated[
        list[ClearableSetting],
        Field(description="Settings to unset."),
    ] = [],  # noqa: B006
    secret_names: SecretNames = [],  # noqa: B006
    config: Config = {},  # noqa: B006
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Change settings of endpoints; settings that are not given stay unchanged. Replicas are replaced, and the price
    can change. Returns once accepted: then call wait_for_endpoint."""

    async def propose(target: Target) -> ProposedChange | EndpointOutput:
        where_it_is, current, listing = target.namespace, target.require(), target.listing
        change = EndpointChange.checked(
            **(_hardware_change(current, list_offers(listing), hardware) if hardware else {}),
            repository=repository or None,
            task=task or None,
            revision=revision or None,
            min_replica=None if min_replica < 0 else min_replica,
            max_replica=None if max_replica < 0 else max_replica,
            scale_to_zero_timeout=scale_to_zero_timeout,
            env=env or None,
        )
        given = UpdateRequest() if (config or secret_names or clear) and _is_empty(change) else change.request()
        request = complete(given, config, secret_names, call, clear)
        offer = find_offer(list_offers(listing), request.applied_to(current).hardware_id)
        preflight.check_request(request, offer.accelerators if offer else 1, current)
        preflight.check_accelerator(request, offer)
        check_bindings(request.applied_to(current).model, call.lent_secrets.bindings)
        plan = plan_update(request, current, where_it_is, listing)
        if any(change.setting.startswith(_CHECKED) for change in plan.changes):
            check = await check_planned_model(call, where_it_is, request, current)
        else:
            check = ModelCheck()
        plan = plan.with_warnings(*check.warnings)
        preview = preview_output(call.endpoints.backend.name, plan, where_it_is, current.name, current).model_copy(
            update={"model_facts": [*check.facts] or None}
        )
        if not plan.changes and not show_unchanged:
            return preview.model_copy(
                update={"plan": plan_summary(plan), "now": "It already has these settings: nothing was sent."}
            )
        return ProposedChange(
            proposal=proposal_of(call, plan, where_it_is, current.name, current).with_warnings(
                *([] if plan.changes else ["It already has these settings: nothing would be sent."]),
                *(await local_run_warnings(call, plan) if dry_run else []),
            ),
            preview=preview,
            apply=partial(_update, call, plan, request, where_it_is, current.name),
        )

    choice = Choice(endpoint_name, names, where, namespace)
    show_unchanged = dry_run and not choice.is_several
    words = SummaryWords("are updated", "wait_for_endpoint")
    return await carry_out_on(call, choice, propose, words, dry_run=dry_run, plan_token=plan_token)


async def _update(call: CallContext, plan: Plan, request: UpdateRequest, namespace: str, name: str) -> EndpointOutput:
    try:
        updated = await call.endpoints.update(name, call.lent_secrets.fill_in(request), namespace)
    except (NoCapacity, QuotaExceeded) as error:
        raise await with_alternatives(call, namespace, error, plan.cost.hardware_id, same_region=True) from error
    call.record_change(namespace, updated)
    return EndpointOutput(
        **await describe_endpoint(call, updated, namespace),
        changed=True,
        plan=plan_summary(plan),
        now=" ".join(["Accepted:", _changed_settings(plan), f"It is {state_word(updated)}.", plan.interrupts]).strip(),
        next=[next_call("wait_for_endpoint", namespace, name)] if updated.state.changing else [],
    )


def _changed_settings(plan: Plan) -> str:
    return ", ".join(change.setting for change in plan.changes) + "."


def _hardware_change(current: Endpoint, available: list[Offer], hardware: str) -> dict[str, str]:
    """The hardware, and where it is if the endpoint moves there."""
    wanted = require_offer(available, hardware).hardware
    moves = (wanted.vendor, wanted.region) != (current.provider.vendor, current.provider.region)
    return wanted.instance | ({"vendor": wanted.vendor, "region": wanted.region} if moves else {})


def _is_empty(change: EndpointChange) -> bool:
    return not change.model_dump(exclude_none=True)
