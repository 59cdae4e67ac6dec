"""How a wait ends: at once when it can, and never for what passes. In both forms, against scripted answers."""

import traceback
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CLOUD, READY_S, Face
from tests.support.driver import Driver
from tests.support.upstream import DROPPED, SILENT, Answer, Upstream

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


def handle_of(face: Face, upstream: Upstream, state: str = "pending", **status: Any) -> Any:
    return face.handle.from_raw(upstream.endpoint(state, **status), "acme")


async def waited(face: Face, endpoint: Any, **options: Any) -> Any:
    return await face(endpoint.wait, **{"timeout": 20, "refresh_every": 0.01, **options})


async def test_a_wait_returns_the_handle_once_the_health_route_answers(face: Face, scripted: Upstream) -> None:
    scripted.shows("pending", "initializing", "running")
    scripted.answers("GET", "/serve/chat/health", Answer(503), Answer(500), Answer(200))
    endpoint = handle_of(face, scripted)
    assert await waited(face, endpoint) is endpoint
    assert (endpoint.status, endpoint.url) == ("running", f"{scripted.url}/serve/chat")
    assert len(scripted.calls()) == 3


@pytest.mark.parametrize("state", ["failed", "updateFailed"])
async def test_a_wait_says_why_a_deployment_failed(face: Face, scripted: Upstream, state: str) -> None:
    scripted.shows(state, errorMessage="CUDA out of memory\x1b[2J")
    scripted.answers("GET", "/v2/endpoint/acme/chat/logs", Answer(body=[{"line": "exit code 137"}]))
    endpoint = handle_of(face, scripted)
    with pytest.raises(DeploymentFailed) as failed:
        await waited(face, endpoint)
    assert failed.value.upstream == "CUDA out of memory\x1b[2J\nexit code 137"
    assert "CUDA" not in str(failed.value)
    shown = "".join(traceback.format_exception(failed.value))
    assert "The container's last output:\nCUDA out of memory[2J\nexit code 137" in shown
    assert endpoint.status == state


async def test_logs_that_cannot_be_had_do_not_hide_the_failure(face: Face, scripted: Upstream) -> None:
    scripted.shows("failed")
    with pytest.raises(DeploymentFailed):
        await waited(face, handle_of(face, scripted))


@pytest.mark.parametrize(("state", "error"), [("paused", Paused), ("scaledToZero", ScaledToZero)])
async def test_a_wait_ends_at_once_when_someone_else_stops_the_endpoint(
    face: Face, scripted: Upstream, state: str, error: type[InferenceEndpointError]
) -> None:
    scripted.shows("initializing", state)
    endpoint = handle_of(face, scripted)
    with pytest.raises(error):
        await waited(face, endpoint, timeout=None)
    assert endpoint.status == state


async def test_a_wait_ends_when_the_endpoint_is_deleted(face: Face, scripted: Upstream) -> None:
    looks = [Answer(body=scripted.endpoint("initializing")), Answer(404, {"error": "Not found"})]
    scripted.answers("GET", "/v2/endpoint/acme/chat", *looks)
    with pytest.raises(NotFound):
        await waited(face, handle_of(face, scripted), timeout=None)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (403, Forbidden)])
async def test_a_wait_ends_when_the_token_is_refused(
    face: Face, scripted: Upstream, status: int, error: type[InferenceEndpointError]
) -> None:
    scripted.answers("GET", "/v2/endpoint/acme/chat", Answer(status, {"error": "Unauthorized"}))
    with pytest.raises(error):
        await waited(face, handle_of(face, scripted), timeout=None)


@pytest.mark.parametrize("trouble", [BROKEN, DROPPED, Answer(200, b"<html>")])
async def test_a_wait_survives_a_passing_failure(face: Face, scripted: Upstream, trouble: Answer) -> None:
    looks = [
        trouble,
        Answer(body=scripted.endpoint("initializing")),
        trouble,
        Answer(body=scripted.endpoint("running")),
    ]
    scripted.answers("GET", "/v2/endpoint/acme/chat", *looks)
    scripted.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(face, handle_of(face, scripted))).status == "running"


async def test_a_state_older_than_our_own_last_change_counts_for_nothing(face: Face, scripted: Upstream) -> None:
    """A replica of the control plane that lags still shows the pause from before our resume."""
    before, after, later = (f"2026-01-01T00:00:0{second}.000000001Z" for second in (1, 2, 3))
    looks = [
        Answer(body=scripted.endpoint("paused", updatedAt=before)),
        Answer(body=scripted.endpoint("failed", updatedAt=before)),
        Answer(body=scripted.endpoint("running", updatedAt=later)),
    ]
    scripted.answers(
        "POST", "/v2/endpoint/acme/chat/resume", Answer(body=scripted.endpoint("pending", updatedAt=after))
    )
    scripted.answers("GET", "/v2/endpoint/acme/chat", *looks)
    scripted.answers("GET", "/serve/chat/health", Answer(200))
    endpoint = handle_of(face, scripted, "paused", updatedAt=before)
    await face(endpoint.resume)
    await waited(face, endpoint)
    assert endpoint.status == "running"


async def test_a_remembered_state_does_not_answer_a_wait(face: Face, scripted: Upstream) -> None:
    scripted.shows("running")
    scripted.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(face, handle_of(face, scripted, "failed"))).status == "running"


async def test_a_wait_times_out_and_the_handle_shows_what_was_seen(face: Face, scripted: Upstream) -> None:
    scripted.shows("initializing")
    endpoint = handle_of(face, scripted)
    with pytest.raises(InferenceEndpointTimeoutError, match=r"not running within 0\.05 s: it is initializing") as late:
        await waited(face, endpoint, timeout=0.05)
    assert isinstance(late.value, TimeoutError)
    assert endpoint.status == "initializing"


async def test_a_timeout_of_nothing_still_allows_one_look(face: Face, scripted: Upstream) -> None:
    scripted.shows("running")
    scripted.answers("GET", "/serve/chat/health", Answer(200))
    assert (await waited(face, handle_of(face, scripted), timeout=0)).status == "running"


async def test_a_health_route_that_never_answers_does_not_hold_a_wait(face: Face, scripted: Upstream) -> None:
    scripted.shows("running")
    scripted.answers("GET", "/serve/chat/health", SILENT)
    with pytest.raises(InferenceEndpointTimeoutError):
        await waited(face, handle_of(face, scripted), timeout=0.1)


@pytest.mark.parametrize("wrong", [{"timeout": -1}, {"refresh_every": 0}, {"refresh_every": -1}])
async def test_impossible_times_are_value_errors(face: Face, scripted: Upstream, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        await waited(face, handle_of(face, scripted), **wrong)
    assert scripted.seen == []


async def test_a_wait_wakes_what_is_scaled_to_zero_when_asked_to(face: Face, here: Driver) -> None:
    endpoint = await face.do("create_inference_endpoint", "chat", repository="gpt2", min_replica=0, **CLOUD)
    await here.advance(READY_S)
    await face(endpoint.scale_to_zero)
    with pytest.raises(ScaledToZero):
        await waited(face, endpoint)
    with pytest.raises(InferenceEndpointTimeoutError):
        await waited(face, endpoint, timeout=0.2, wake=True)
    assert endpoint.status in {"pending", "initializing"}
    await here.advance(READY_S)
    assert (await waited(face, endpoint, wake=True)).status == "running"
