"""Find out why an endpoint does not work as expected."""

import asyncio
import re
from contextlib import suppress

from pydantic import BaseModel, Field

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.collection import collect_evidence
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import Action, ActionKind, Cause, EvidenceSource, Finding, Quote
from inference_endpoints.diagnosis.ranking import Diagnosis, diagnose
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import Endpoint, format_hardware_id
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Fenced, Name, Ours, Word
from inference_endpoints_mcp.privacy.lent_secrets import HUB_TOKEN
from inference_endpoints_mcp.privacy.untrusted_text import clean, clean_line
from inference_endpoints_mcp.tools.arguments import EndpointName, Namespace
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.outputs import BackendName, NextCall, ToolOutput, backend_of, next_call, trial_call
from inference_endpoints_mcp.tools.spec import Toolset, tool

MAX_OTHER_CAUSES = 3
MAX_QUOTE_CHARACTERS, MAX_QUOTES_CHARACTERS = 400, 4_000
"""Longest quote, and length of all quotes together."""
THIN_EVIDENCE = 0.5
"""Below this confidence the service's debugger is run as well."""
DEBUGGER_TIMEOUT_S = 30.0


class OtherCause(BaseModel):
    cause: Cause
    confidence: float
    why: Ours


class DiagnosisOutput(ToolOutput):
    endpoint_name: Name
    namespace: Name
    backend: BackendName
    state: Word
    cause: Cause = Field(description="The most likely cause.")
    confidence: float = Field(description="0 to 1.")
    evidence: list[Ours] = Field(description="Observations that support it.")
    quotes: Fenced | None = Field(default=None, description="Fenced: from container, control plane and settings.")
    service_diagnosis: Fenced | None = Field(default=None, description="Fenced: by the service's own debugger.")
    other_causes: list[OtherCause]
    sources_read: list[Ours]
    sources_failed: list[Ours] = Field(description="Sources that failed. Each lowers the confidence.")


@tool(uses=operations.GET, toolset=Toolset.OBSERVE, title="Diagnose an endpoint")
async def diagnose_endpoint(call: Call, endpoint_name: EndpointName, namespace: Namespace = "") -> DiagnosisOutput:
    """Find out why an endpoint does not start, answer or keep up. Reads its status, logs, metrics, replicas and health,
    and returns the most likely cause, the evidence, the confidence and the call that helps. Wakes nothing."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    evidence = await collect_evidence(
        call.endpoints, name, namespace, call.hardware_cache, call.hub, call.start_history
    )
    diagnosis = diagnose(evidence)
    finding = diagnosis.finding
    return DiagnosisOutput(
        endpoint_name=name,
        namespace=namespace,
        backend=backend_of(evidence.endpoint, call.endpoints.backend.name),
        state=evidence.state.value,
        cause=finding.cause,
        confidence=round(finding.confidence, 2),
        evidence=list(finding.evidence),
        quotes=_fence_quotes(finding.quotes, call),
        service_diagnosis=await _service_diagnosis(call, evidence.endpoint, namespace, finding.confidence),
        other_causes=_other_causes(diagnosis),
        sources_read=[
            "status and settings",
            *(source.value for source in EvidenceSource if _was_read(evidence, source)),
        ],
        sources_failed=sorted(source.value for source in evidence.failed),
        now=_summary(finding, evidence) + _operators_part(call, finding),
        next=_next_calls(call, finding, evidence.endpoint, namespace),
    )


async def _service_diagnosis(call: CallContext, endpoint: Endpoint, namespace: str, confidence: float) -> str | None:
    """What the service's debugger reports of the endpoint. It is run only where our own evidence is thin."""
    message = endpoint.status.agent_message
    if not message and confidence < THIN_EVIDENCE:
        async with call.report_progress() as progress:
            progress.report(lambda: f"the service's debugger examines {endpoint.name}")
            with suppress(InferenceEndpointError, TimeoutError):
                async with asyncio.timeout(min(DEBUGGER_TIMEOUT_S, call.hold.remaining_s)):
                    message = (await call.endpoints.debug(endpoint.name, namespace)).status.agent_message
    return call.fence.wrap("service", call.redactor.text(clean(message)), MAX_QUOTES_CHARACTERS) if message else None


def _summary(finding: Finding, evidence: Evidence) -> str:
    how = "Most likely" if finding.confidence >= 0.75 else "Probably" if finding.confidence >= 0.5 else "Possibly"
    no_cause = finding.cause in {Cause.HEALTHY, Cause.UNKNOWN}
    summary = f"{finding.summary}. " if no_cause else f"{how}: {finding.summary[0].lower()}{finding.summary[1:]}. "
    missing = ", ".join(sorted(source.value for source in evidence.failed))
    unseen = f" These sources could not be read: {missing}." if missing else ""
    return f"{summary}{finding.remedy.text}{unseen}"


def _operators_part(call: CallContext, finding: Finding) -> str:
    """What the operator of this server has to do first; empty where nothing."""
    needs_token = any(action.kind is ActionKind.AUTHORIZE for action in finding.remedy.actions)
    if not needs_token or HUB_TOKEN in call.lent_secrets.values:
        return ""
    return (
        f" No call helps before that: the operator of this server lends the token with --lend {HUB_TOKEN}, and then "
        f'update_endpoint with secret_names ["{HUB_TOKEN}"] gives it to the endpoint.'
    )


def _was_read(evidence: Evidence, source: EvidenceSource) -> bool:
    results = {
        EvidenceSource.REPLICAS: evidence.replicas,
        EvidenceSource.LOGS: evidence.logs,
        EvidenceSource.METRICS: evidence.graphs,
        EvidenceSource.HARDWARE: evidence.offers,
        EvidenceSource.HEALTH: evidence.health,
        EvidenceSource.HISTORY: evidence.history,
    }
    return results[source] is not None


def _other_causes(diagnosis: Diagnosis) -> list[OtherCause]:
    return [
        OtherCause(cause=other.cause, confidence=round(other.confidence, 2), why=f"{other.summary}.")
        for other in diagnosis.others[:MAX_OTHER_CAUSES]
    ]


def _fence_quotes(quotes: tuple[Quote, ...], call: CallContext) -> str | None:
    """All quotes in one fence, each after its source."""
    if not quotes:
        return None
    quoted = [
        f"[{quote.source}] {clean_line(call.redactor.text(clean(quote.text)), MAX_QUOTE_CHARACTERS)}"
        for quote in quotes
    ]
    return call.fence.wrap("endpoint", "\n".join(quoted), MAX_QUOTES_CHARACTERS)


def _next_calls(call: CallContext, finding: Finding, endpoint: Endpoint, namespace: str) -> list[NextCall]:
    can_lend = HUB_TOKEN in call.lent_secrets.values
    possible = {
        ActionKind.AUTHORIZE: can_lend,
        ActionKind.CALL: endpoint.status.engine != "simulated",  # it runs no model
    }
    actions = [action for action in finding.remedy.actions if possible.get(action.kind, True)]
    return [_next_call(action, endpoint, namespace) for action in actions]


def _next_call(action: Action, endpoint: Endpoint, namespace: str) -> NextCall:
    name = endpoint.name
    match action.kind:
        case ActionKind.AUTHORIZE:
            return next_call("update_endpoint", namespace, name, secret_names=[HUB_TOKEN])
        case ActionKind.UPDATE:
            assert action.change is not None
            return next_call("update_endpoint", namespace, name, **_settings(action.change, endpoint))
        case ActionKind.CALL:
            return trial_call(endpoint, namespace)
        case ActionKind.LIST_RUNNING:
            return NextCall(tool="list_endpoints", arguments={"namespace": namespace, "state": "running"})
        case ActionKind.LIST_HARDWARE:
            accelerator = {"accelerator": kind} if (kind := endpoint.compute.accelerator) in {"cpu", "gpu"} else {}
            return NextCall(tool="get_vendors", arguments={"namespace": namespace, **accelerator})
        case ActionKind.SEARCH_CATALOGUE:
            search = action.search if re.fullmatch(r"[\w.-]{1,100}", action.search, re.ASCII) else ""
            return NextCall(tool="list_catalog_items", arguments={"search": search} if search else {})
        case _:
            return next_call(_TOOL_BY_ACTION[action.kind], namespace, name)


_TOOL_BY_ACTION = {
    ActionKind.RESUME: "resume_endpoint",
    ActionKind.WAIT: "wait_for_endpoint",
    ActionKind.INSPECT: "get_endpoint",
    ActionKind.READ_LOGS: "get_endpoint_logs",
}


def _settings(change: EndpointChange, endpoint: Endpoint) -> dict[str, object]:
    """A change as arguments of update_endpoint; as `config` where there is no such argument."""
    flat: dict[str, object] = {name: getattr(change, name) for name in ("max_replica", "repository", "revision", "env")}
    if change.instance_type:
        provider = endpoint.provider
        flat["hardware"] = format_hardware_id(
            provider.vendor, provider.region, change.instance_type, change.instance_size or ""
        )
    nested = {"image": change.image, "args": change.args}
    if model := {key: value for key, value in nested.items() if value is not None}:
        flat["config"] = {"model": model}
    return {key: value for key, value in flat.items() if value is not None}
