"""How a wait ends: at once when it can, and never for what passes. In both forms, against default_upstream answers."""

import traceback
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CLOUD, READY_S, CallStyle
from tests.support.planes.plane_driver import Driver
from tests.support.service.scripted_upstream import DROPPED, SILENT, Answer, Upstream

from inference_endpoints import (
    DeploymentFailed,
    Forbidden,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotFound,
    Paused,
    ScaledToZero,
    Unauthorized,
)

pytestmark = pytest.mark.anyio
BROKEN = Answer(500, {"error": "Internal Server Error"})


def handle_of(call: CallStyle, upstream: Upstream, state: str = "pending", **status: Any) -> Any:
    return call.handle.from_raw(upstream.endpoint(state, **status), "acme")


async def waited(call: CallStyle, endpoint: Any, **options: Any) -> Any:
    return await call(endpoint.wait, **{"timeout": 20, "refresh_every": 0.01, **options})


async def test_a_wait_returns_the_handle_once_the_health_route_answers(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.shows("pending", "initializing", "running")
    default_upstream.answers("GET", "/serve/chat/health", Answer(503), Answer(500), Answer(200))
    endpoint = handle_of(call, default_upstream)
    assert await waited(call, endpoint) is endpoint
    assert (endpoint.status, endpoint.url) == ("running", f"{default_upstream.url}/serve/chat")
    assert len(default_upstream.calls()) == 3


@pytest.mark.parametrize("state", ["failed", "updateFailed"])
async def test_a_wait_reports_why_a_deployment_failed(call: CallStyle, default_upstream: Upstream, state: str) -> None:
    default_upstream.shows(state, errorMessage="CUDA out of memory\x1b[2J")
    default_upstream.answers("GET", "/v2/endpoint/acme/chat/logs", Answer(body=[{"line": "exit code 137"}]))
    endpoint = handle_of(call, default_upstream)
    with pytest.raises(DeploymentFailed) as failed:
        await waited(call, endpoint)
    assert failed.value.upstream == "CUDA out of memory\x1b[2J\nexit code 137"
    assert "CUDA" not in str(failed.value)
    formatted = "".join(traceback.format_exception(failed.value))
    assert "The container's last output:\nCUDA out of memory[2J\nexit code 137" in formatted
    assert endpoint.status == state


async def test_logs_that_cannot_be_had_do_not_hide_the_failure(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("failed")
    with pytest.raises(DeploymentFailed):
        await waited(call, handle_of(call, default_upstream))


@pytest.mark.parametrize(("state", "error"), [("paused", Paused), ("scaledToZero", ScaledToZero)])
async def test_a_wait_ends_at_once_when_someone_else_stops_the_endpoint(
    call: CallStyle, default_upstream: Upstream, state: str, error: type[InferenceEndpointError]
) -> None:
    default_upstream.shows("initializing", state)
    endpoint = handle_of(call, default_upstream)
    with pytest.raises(error):
        await waited(call, endpoint, timeout=None)
    assert endpoint.status == state


async def test_a_wait_ends_when_the_endpoint_is_deleted(call: CallStyle, default_upstream: Upstream) -> None:
    answers = [Answer(body=default_upstream.endpoint("initializing")), Answer(404, {"error": "Not found"})]
    default_upstream.answers("GET", "/v2/endpoint/acme/chat", *answers)
    with pytest.raises(NotFound):
        await waited(call, handle_of(call, default_upstream), timeout=None)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (403, Forbidden)])
async def test_a_wait_ends_when_the_token_is_refused(
    call: CallStyle, default_upstream: Upstream, status: int, error: type[InferenceEndpointError]
) -> None:
    default_upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(status, {"error": "Unauthorized"}))
    with pytest.raises(error):
        await waited(call, handle_of(call, default_upstream), timeout=None)


@pytest.mark.parametrize("trouble", [BROKEN, DROPPED, Answer(200, b"<html>")])
async def test_a_wait_survives_a_passing_failure(call: CallStyle, default_upstream: Upstream, trouble: Answer) -> None:
    answers = [
        trouble,
        Answer(body=default_upstream.endpoint("initializing")),
        trouble,
        Answer(body=default_upstream.endpoint("running")),
    ]
    default_upstream.answers("GET", "/v2/endpoint/acme/chat", *answers)
    default_upstream.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(call, handle_of(call, default_upstream))).status == "running"


async def test_a_state_older_than_our_own_last_change_counts_for_nothing(
    call: CallStyle, default_upstream: Upstream
) -> None:
    """A replica of the control plane that lags still shows the pause from before our resume."""
    before, after, later = (f"2026-01-01T00:00:0{second}.000000001Z" for second in (1, 2, 3))
    answers = [
        Answer(body=default_upstream.endpoint("paused", updatedAt=before)),
        Answer(body=default_upstream.endpoint("failed", updatedAt=before)),
        Answer(body=default_upstream.endpoint("running", updatedAt=later)),
    ]
    default_upstream.answers(
        "POST", "/v2/endpoint/acme/chat/resume", Answer(body=default_upstream.endpoint("pending", updatedAt=after))
    )
    default_upstream.answers("GET", "/v2/endpoint/acme/chat", *answers)
    default_upstream.answers("GET", "/serve/chat/health", Answer(200))
    endpoint = handle_of(call, default_upstream, "paused", updatedAt=before)
    await call(endpoint.resume)
    await waited(call, endpoint)
    assert endpoint.status == "running"


async def test_a_remembered_state_does_not_answer_a_wait(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("running")
    default_upstream.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(call, handle_of(call, default_upstream, "failed"))).status == "running"


async def test_a_wait_times_out_and_the_handle_shows_what_was_seen(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("initializing")
    endpoint = handle_of(call, default_upstream)
    with pytest.raises(InferenceEndpointTimeoutError, match=r"not running within 0\.05 s: it is initializing") as late:
        await waited(call, endpoint, timeout=0.05)
    assert isinstance(late.value, TimeoutError)
    assert endpoint.status == "initializing"


async def test_a_timeout_of_zero_still_allows_one_read(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("running")
    default_upstream.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(call, handle_of(call, default_upstream), timeout=0)).status == "running"


async def test_a_health_route_that_never_answers_does_not_hold_a_wait(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.shows("running")
    default_upstream.answers("GET", "/serve/chat/health", SILENT)
    with pytest.raises(InferenceEndpointTimeoutError):
        await waited(call, handle_of(call, default_upstream), timeout=0.1)


@pytest.mark.parametrize("wrong", [{"timeout": -1}, {"refresh_every": 0}, {"refresh_every": -1}])
async def test_impossible_times_are_value_errors(
    call: CallStyle, default_upstream: Upstream, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="must"):
        await waited(call, handle_of(call, default_upstream), **wrong)
    assert default_upstream.seen == []


async def test_a_wait_wakes_an_endpoint_that_is_scaled_to_zero_if_wake_is_set(
    call: CallStyle, default_driver: Driver
) -> None:
    endpoint = await call.function("create_inference_endpoint", "chat", repository="gpt2", min_replica=0, **CLOUD)
    await default_driver.advance(READY_S)
    await call(endpoint.scale_to_zero)
    with pytest.raises(ScaledToZero):
        await waited(call, endpoint)
    with pytest.raises(InferenceEndpointTimeoutError):
        await waited(call, endpoint, timeout=2, wake=True)
    assert endpoint.status in {"pending", "initializing"}
    await default_driver.advance(READY_S)
    assert (await waited(call, endpoint, wake=True)).status == "running"
