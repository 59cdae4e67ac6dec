"""Facts that speak against a cause lower how sure a diagnosis is, and are shown."""

from datetime import timedelta
from typing import Any

import pytest
from tests.inference_endpoints.diagnosis.test_diagnosis import LISTING, NOW, VLLM, endpoint, found, log

from inference_endpoints.deploy.offers import list_offers
from inference_endpoints.deploy.sizing.known_model import HubFacts
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import ActionKind, Cause
from inference_endpoints.engines.model_config import ModelConfig
from inference_endpoints.models import AuditEntry, HardwareListing, ModelInfo, Replica

OFFERS = list_offers(LISTING)
CONFIG = ModelConfig(
    model_type="llama", num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, hidden_size=2048
)


def hub(parameters_b: float, gated: bool = False) -> HubFacts:
    weights = {"parameters": {"BF16": int(parameters_b * 1e9)}}
    return HubFacts(info=ModelInfo(safetensors=weights, gated=gated), config=CONFIG, exists=True)


def ended(*codes: int) -> list[Replica]:
    return [
        Replica.model_validate({"id": f"a-{number}", "status": {"stage": "stopped", "exitCode": code}})
        for number, code in enumerate(codes)
    ]


def test_a_model_that_fits_by_computation_gets_no_dearer_hardware() -> None:
    chat: dict[str, Any] = {"image": VLLM, "task": "text-generation", "args": ["--max-model-len", "2048"]}
    evidence = Evidence(endpoint(**chat), NOW, logs=log("CUDA out of memory"), offers=OFFERS, hub=hub(7))
    finding, unknown = found(evidence), found(Evidence(endpoint(**chat), NOW, logs=log("CUDA out of memory")))
    assert finding.cause is Cause.ACCELERATOR_MEMORY
    assert finding.confidence < unknown.confidence
    assert any(one.startswith("Against it: by computation the model fits. It needs") for one in finding.evidence)
    assert [action.kind for action in finding.remedy.actions] == [ActionKind.READ_LOGS]


@pytest.mark.parametrize(("codes", "sure"), [((137, 137), True), ((1, 1), False)])
def test_the_exit_code_shows_whether_a_container_was_killed(codes: tuple[int, ...], sure: bool) -> None:
    killed = log("Last State: Terminated, Reason: OOMKilled")
    finding = found(Evidence(endpoint(), NOW, replicas=ended(*codes), logs=killed, offers=OFFERS))
    assert finding.cause is Cause.HOST_MEMORY
    assert (finding.confidence > 0.8) is sure
    expected = "2 replica(s) were killed: exit code 137." if sure else "Against it: no replica was killed."
    assert any(one.startswith(expected) for one in finding.evidence)


def test_the_exit_code_alone_shows_that_main_memory_ran_out() -> None:
    finding = found(Evidence(endpoint(), NOW, replicas=ended(137), logs=log("Loading weights"), offers=OFFERS))
    assert (finding.cause, finding.confidence) == (Cause.HOST_MEMORY, 0.7)


def test_a_gated_model_without_a_token_needs_no_line_to_be_found() -> None:
    gated = endpoint(repository="meta-llama/Llama-3.1-8B")
    finding = found(Evidence(gated, NOW, logs=log("exit"), hub=hub(8, gated=True)))
    assert finding.cause is Cause.GATED_MODEL
    assert "A person must accept the terms at https://huggingface.co/meta-llama/Llama-3.1-8B" in finding.remedy.text
    line = log("Cannot access gated repo for url https://huggingface.co/x")
    against = found(Evidence(gated, NOW, logs=line, hub=hub(8)))
    assert "The model is not gated on the Hub." in against.evidence
    assert against.confidence < found(Evidence(gated, NOW, logs=line, hub=hub(8, gated=True))).confidence


def test_without_a_payment_method_a_person_adds_one_and_no_call_is_proposed() -> None:
    document = LISTING.model_dump(by_alias=True)
    for instance in document["vendors"][0]["regions"][0]["computes"]:
        instance["quota"] = {"maxAccelerators": 0, "usedAccelerators": 0}
    offers = list_offers(HardwareListing.model_validate(document))
    finding = found(Evidence(endpoint("paused"), NOW, offers=offers))
    assert finding.cause is Cause.QUOTA
    assert "A person adds one at https://endpoints.huggingface.co." in finding.remedy.text
    assert finding.remedy.actions == ()


def change(kind: str, ago_s: float) -> AuditEntry:
    reason = {"endpointUpdated": {kind: {"before": {kind: "a"}, "after": {kind: "b"}}}}
    return AuditEntry.model_validate({"createdAt": (NOW - timedelta(seconds=ago_s)).isoformat(), "reason": reason})


def test_a_failure_that_a_change_brought_is_told_from_one_that_it_did_not_end() -> None:
    broke = log("INFO running", ago_s=400) + log("CUDA out of memory", ago_s=10)
    finding = found(Evidence(endpoint(), NOW, logs=broke, offers=OFFERS, history=[change("env", 100)]))
    assert "came before this failure, and its log before that does not show it." in finding.evidence[-1]
    assert finding.remedy.actions[0].kind is ActionKind.UPDATE
    same = log("CUDA out of memory", ago_s=400) + log("CUDA out of memory", ago_s=10)
    finding = found(Evidence(endpoint(), NOW, logs=same, offers=OFFERS, history=[change("env", 100)]))
    assert finding.evidence[-1].startswith("Its last change (updated env, 1 min 40 s ago) did not help")
    assert finding.remedy.actions[0].kind is ActionKind.UPDATE, "other hardware was not tried"
