"""Calls of endpoints that are scaled to zero, starting, paused or failed."""

from typing import Any

import pytest
from tests.support.service.scripted_upstream import DROPPED, Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import (
    BadRequest,
    DeploymentFailed,
    Forbidden,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotDeployed,
    Paused,
    ScaledToZero,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.inference.async_inference import AsyncInference

pytestmark = pytest.mark.anyio


async def test_a_sleeping_endpoint_is_woken_by_a_request_that_the_proxy_holds(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("scaledToZero")
    upstream.serves("/", Answer(body={"generated_text": "on"}))
    waits: list[str] = []

    async def on_wait(sentence: str) -> None:
        waits.append(sentence)

    response = await inference.call("chat", body={}, timeout=60, on_wait=on_wait)
    assert response.woke
    assert upstream.calls()[0].headers["x-scale-up-timeout"] in {"59", "60"}
    assert waits == ["scaled to zero · waking it, for up to 1 min"]


@pytest.mark.parametrize("status", [503, 502])
async def test_while_it_starts_the_call_is_repeated_and_each_wait_is_reported(
    upstream: Upstream, inference: AsyncInference, slept: list[float], status: int
) -> None:
    upstream.shows("scaledToZero", "initializing", "running")
    starting = Answer(status, b"503 Service Unavailable")
    upstream.serves("/", starting, starting, Answer(body={"generated_text": "on"}))
    waits: list[str] = []

    async def on_wait(sentence: str) -> None:
        waits.append(sentence)

    response = await inference.call("chat", body={"inputs": "go"}, on_wait=on_wait)
    assert (response.json(), response.woke) == ({"generated_text": "on"}, True)
    assert [wait.partition(" · ")[0] for wait in waits] == ["scaled to zero", "initializing", "running"]
    assert len(slept) == 2
    assert ["x-scale-up-timeout" in seen.headers for seen in upstream.calls()] == [True, True, False]


NOT_STOPPED = Answer(400, {"error": "Bad Request: workload is not stopped"})


async def test_the_400_of_an_endpoint_that_wakes_is_part_of_the_same_wait(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("scaledToZero", "initializing", "initializing", "running")
    asleep = Answer(503, {"error": "503 Service Unavailable", "code": "SERVICE_UNAVAILABLE"})
    upstream.serves("/", asleep, NOT_STOPPED, NOT_STOPPED, Answer(body={"generated_text": "on"}))
    waits: list[str] = []

    async def on_wait(sentence: str) -> None:
        waits.append(sentence)

    response = await inference.call("chat", body={"inputs": "go"}, on_wait=on_wait)
    assert (response.json(), response.woke) == ({"generated_text": "on"}, True)
    assert [wait.partition(" · ")[0] for wait in waits] == [
        "scaled to zero",
        "initializing",
        "initializing",
        "running",
    ]


async def test_an_engines_error_that_quotes_those_words_is_not_waited_for(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(400, {"error": "invalid input: 'workload is not stopped'"}))
    with pytest.raises(BadRequest, match="did not accept the request"):
        await inference.call("chat", body={})
    assert len(upstream.calls()) == 1


@pytest.mark.parametrize(("asked", "waited"), [(300, 300), (900, 600)])
async def test_a_running_endpoint_that_says_when_it_is_ready_is_asked_again_then_but_within_the_deadline(
    upstream: Upstream, inference: AsyncInference, slept: list[float], asked: int, waited: int
) -> None:
    upstream.shows("running")
    lost = Answer(503, {"error": "503 Service Unavailable"}, {"Retry-After": str(asked)})
    upstream.serves("/", lost, Answer(body={"generated_text": "on"}))
    assert (await inference.call("chat", body={}, timeout=600)).json() == {"generated_text": "on"}
    assert waited - 300 < slept[0] <= waited


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Answer(503, {"error": "no healthy upstream"}), "answered 503"), (NOT_STOPPED, "not ready yet")],
)
async def test_a_running_endpoint_that_is_never_ready_is_unavailable(
    upstream: Upstream, inference: AsyncInference, answer: Answer, reason: str
) -> None:
    upstream.shows("running")
    upstream.serves("/", answer)
    with pytest.raises(Unavailable, match=reason) as caught:
        await inference.call("chat", body={})
    assert caught.value.upstream == answer.body["error"]
    assert len(upstream.calls()) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, {"error": "401 Unauthorized", "code": "UNAUTHORIZED"}), Unauthorized),
        (Answer(403, {"error": "missing permissions: inference.endpoints.infer.write"}), Forbidden),
    ],
)
async def test_a_refused_token_is_not_waited_for(
    upstream: Upstream, inference: AsyncInference, answer: Answer, error: type[InferenceEndpointError]
) -> None:
    upstream.shows("scaledToZero")
    upstream.serves("/", answer)
    with pytest.raises(error):
        await inference.call("chat", body={})
    assert len(upstream.calls()) == 1


async def test_an_endpoint_that_fails_to_start_ends_the_wait_with_its_reason(
    upstream: Upstream, inference: AsyncInference
) -> None:
    failed = upstream.endpoint("failed", errorMessage="CUDA out of memory")
    reads = [Answer(body=upstream.endpoint("initializing")), Answer(body=failed)]
    upstream.answers("GET", "/v2/endpoint/acme/chat", *reads)
    upstream.serves("/", Answer(503, b""))
    with pytest.raises(DeploymentFailed) as caught:
        await inference.call("chat", body={})
    assert caught.value.upstream == "CUDA out of memory"
    assert len(upstream.calls()) == 1


async def test_an_endpoint_that_never_becomes_ready_ends_at_the_callers_deadline(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.shows("initializing")
    upstream.serves("/", Answer(503, b""))
    with pytest.raises(InferenceEndpointTimeoutError, match="did not become ready within 2 s"):
        await AsyncInference(endpoints).call("chat", body={}, timeout=2)
    assert upstream.calls()[0].headers["x-scale-up-timeout"] == "1"


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        ("paused", {}, Paused),
        ("failed", {"url": None}, DeploymentFailed),
        ("pending", {"url": None}, NotDeployed),
        ("initializing", {"url": ""}, NotDeployed),
    ],
)
async def test_an_endpoint_that_cannot_answer_is_not_called(
    upstream: Upstream,
    inference: AsyncInference,
    state: str,
    status: dict[str, Any],
    error: type[InferenceEndpointError],
) -> None:
    upstream.shows(state, **status)
    with pytest.raises(error, match="Endpoint acme/chat"):
        await inference.run("chat", "text-generation", "go")
    assert upstream.calls() == []


async def test_a_sleeping_endpoint_that_may_not_be_woken_stays_asleep(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("scaledToZero")
    with pytest.raises(ScaledToZero, match="may not wake it"):
        await inference.run("chat", "text-generation", "go", wake=False)
    assert upstream.calls() == []


@pytest.mark.parametrize("words", ["The endpoint is paused, ask a maintainer to restart it", "Invalid state"])
async def test_an_endpoint_paused_since_it_was_read_is_recognized_by_the_proxys_message(
    upstream: Upstream, inference: AsyncInference, words: str
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(400, {"error": f"Bad Request: {words}"}))
    with pytest.raises(Paused, match="Resume it"):
        await inference.call("chat", body={})


async def test_a_dropped_call_is_not_repeated(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    upstream.serves("/", DROPPED)
    with pytest.raises(Unavailable):
        await inference.run("chat", "text-generation", "go")
    assert len(upstream.calls()) == 1
