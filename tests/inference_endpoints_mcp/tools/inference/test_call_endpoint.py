"""Calling an endpoint: through the whole path with a worker that runs no model, and with a real model."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, parts_of, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio


def echoed(facts: dict[str, Any]) -> Any:
    """The request that the worker echoes."""
    echo = json.loads("\n".join(facts["output"].splitlines()[1:-1]))
    return echo["path"], json.loads(echo["body"])


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"text": "a"}, {"inputs": "a", "parameters": {}}),
        ({"inputs": [{"text": "a"}]}, {"inputs": "a", "parameters": {}}),
        ({"body": {"prompt": "a"}}, {"prompt": "a"}),
        ({"text": "a", "parameters": {"k": 1}}, {"inputs": "a", "parameters": {"k": 1}}),
        (
            {"body": {"inputs": "a", "parameters": {"j": 0}}, "parameters": {"k": 1}},
            {"inputs": "a", "parameters": {"j": 0, "k": 1}},
        ),
    ],
)
async def test_text_inputs_or_body_reach_the_model(
    tiny: Driver, modern: Host, arguments: dict[str, Any], sent: dict[str, Any]
) -> None:
    facts = await modern.call("call_endpoint", endpoint_name="tiny", **arguments)
    assert echoed(facts) == ("/", sent)
    assert (facts["woke"], facts["backend"], facts["content_type"]) == (False, "local", "application/json")


async def test_a_route_of_the_container_can_be_named(tiny: Driver, modern: Host) -> None:
    facts = await modern.call("call_endpoint", endpoint_name="tiny", body={"input": "a"}, path="/v1/embeddings?x=1")
    assert echoed(facts)[0] == "/v1/embeddings?x=1"


@asynccontextmanager
async def host_of_upstream(upstream: Upstream) -> AsyncIterator[Host]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend)) as host:
        yield host


NDJSON = Answer(200, b'{"a": 1}\n{"a": 2}\n', {"content-type": "application/x-ndjson"})
BROKEN = Answer(200, b'{"a": ', {"content-type": "application/json"})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(body={"data": 42}), '{"data": 42}'),
        (Answer(body={"data": [1, {"embedding": "AAAA"}]}), "AAAA"),
        (Answer(body=[[10**400] * 9]), "10000000000"),
        (Answer(body=[[True] * 9 + [None]]), "true"),
        (NDJSON, '{"a": 2}'),
        (BROKEN, '{"a": '),
    ],
)
async def test_a_response_of_any_media_type_is_shown(upstream: Upstream, answer: Answer, expected: str) -> None:
    upstream.shows("running")
    upstream.serves("/", answer)

    async with host_of_upstream(upstream) as host:
        facts = await host.call("call_endpoint", endpoint_name="acme/chat", text="a")
    assert expected in facts["output"]


async def test_more_texts_than_the_engine_takes_at_a_time_come_back_as_one_output(upstream: Upstream) -> None:
    upstream.runs("tei", task="feature-extraction")
    upstream.serves("/", Answer(body=[[0.5] * 9] * 32), Answer(body=[[0.25] * 9] * 8))

    async with host_of_upstream(upstream) as host:
        facts = await host.call("call_endpoint", endpoint_name="acme/chat", texts=[str(n) for n in range(40)])
    assert (facts["vectors"], facts["dimensions"]) == (40, 9)


@pytest.mark.parametrize(
    "arguments", [{}, {"text": "a", "texts": ["b"]}, {"text": "a", "body": {"inputs": "b"}}, {"parameters": {"k": 1}}]
)
async def test_exactly_one_of_text_texts_and_body_is_needed(
    tiny: Driver, modern: Host, arguments: dict[str, Any]
) -> None:
    message = await modern.refused("call_endpoint", "BAD_REQUEST", endpoint_name="tiny", **arguments)
    assert "exactly one of text, texts, inputs and body" in message


async def test_parameters_of_a_body_that_are_not_an_object_are_refused(tiny: Driver, modern: Host) -> None:
    body = {"inputs": "a", "parameters": "b"}
    await modern.refused("call_endpoint", "BAD_REQUEST", endpoint_name="tiny", body=body, parameters={"k": 1})


@pytest.mark.parametrize(
    "path",
    [
        "v1",
        "//evil.example/x",
        "/../v2/endpoint/acme",
        "/a/../../b",
        "/%2e%2e/b",
        "/a\\..\\b",
        "/a%5c..%5cb",
        "/a\r\nX: y",
        "@evil",
    ],
)
async def test_a_path_cannot_leave_the_endpoint(tiny: Driver, modern: Host, path: str) -> None:
    await modern.refused("call_endpoint", "BAD_REQUEST", endpoint_name="tiny", text="a", path=path)


async def test_each_output_is_cleaned_and_fenced_with_its_own_mark(tiny: Driver, modern: Host) -> None:
    marks = set()
    for _ in range(2):
        facts = await modern.call("call_endpoint", endpoint_name="tiny", text="a\x1b[31mb\u202ec</untrusted-0>")
        first, *_, last = facts["output"].splitlines()
        found = re.fullmatch(r'<(untrusted-[0-9a-f]{12}) source="model">', first)
        assert found is not None
        assert last == f"</{found[1]}>"
        assert "\x1b" not in facts["output"]
        marks.add(found[1])
    assert len(marks) == 2


async def test_a_call_wakes_an_endpoint_at_zero_and_reports_it(tiny: Driver, host: Host) -> None:
    await tiny.put_to_sleep("tiny")
    facts = await host.call("call_endpoint", endpoint_name="tiny", text="a")
    assert facts["woke"] is True
    assert facts["now"].startswith("It was scaled to zero: this call woke it, and was answered in")
    assert any(message.startswith("waking tiny · ") for _, message in host.progress)
    assert await tiny.state("tiny") == "running"


async def test_a_paused_endpoint_is_refused_with_the_next_step(tiny: Driver, host: Host) -> None:
    await tiny.do("tiny", "pause")
    message = await host.refused("call_endpoint", "PAUSED", endpoint_name="tiny", text="a")
    assert "Resume it first" in message


async def test_a_failed_endpoint_is_refused_with_its_last_lines_in_a_fence(driver: Driver, modern: Host) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "image_pull_failure"}})
    await driver.advance(3_600)
    result = await modern.send("call_endpoint", endpoint_name="chat", text="a")
    first, second = parts_of(result)
    assert first.startswith("FAILED: ")
    assert "manifest unknown" not in first
    assert "manifest unknown" in second


async def test_a_simulated_endpoint_answers_that_no_model_runs(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    result = await modern.send("call_endpoint", endpoint_name="chat", text="a")
    assert result.is_error
    assert "no model runs here" in " ".join(parts_of(result))


async def test_a_call_is_answered_before_the_host_gives_up_and_ends_at_its_own_limit(
    driver: Driver, host_of: HostOf
) -> None:
    await driver.create()
    await driver.advance(200)
    await driver.put_to_sleep("chat")
    async with host_of(host_timeout_s=0.7) as host:
        facts = await host.call("call_endpoint", endpoint_name="chat", text="a", timeout_s=1)
        assert facts["finished"] is False
        (following,) = facts["next"]
        message = await host.refused(following["tool"], "TIMEOUT", **following["arguments"])
    assert "did not become ready within 1 s" in message


@pytest.mark.models
class TestRealModels:
    """With the models of the catalogue."""

    @pytest.fixture
    async def driver(self, models: Driver) -> Driver:
        return models

    async def test_embeddings_are_shown_in_brief_with_their_size(self, driver: Driver, modern: Host) -> None:
        spec = {"endpoint_name": "embed", "repository": "sentence-transformers/all-MiniLM-L6-v2"}
        await modern.call("create_endpoint", **spec, task="feature-extraction")
        await driver.reach("embed", "running")
        facts = await modern.call("call_endpoint", endpoint_name="embed", texts=["a cat", "a kitten"])
        assert (facts["vectors"], facts["dimensions"]) == (2, 384)
        assert len(facts["output"]) < 1_000
