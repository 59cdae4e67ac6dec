"""The client's logs against an upstream: version 3 with its pages, and version 2 where there is no version 3."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.transport.backend import hugging_face, local
from inference_endpoints.transport.service import Service
from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

V2, V3 = "/v2/endpoint/acme/chat/logs", "/v3/endpoint/acme/chat/logs"
TEXT = """\
- 2026-10-01T08:00:00.123456789Z INFO started
- 2026-10-01T08:00:01Z Traceback (most recent call last):
- 2026-10-01T08:00:01Z   File "model.py", line 1, in load
- 2026-10-01T08:00:02Z torch.OutOfMemoryError: CUDA out of memory
- 2026-10-01T08:00:03Z WARNING slow
"""


def entry(second: int, line: str = "", **more: Any) -> dict[str, Any]:
    fields = {"timestamp": f"2026-10-01T08:00:{second:02}Z", "line": line or f"line {second}", "stream": "stdout"}
    return fields | {"replica_id": "r-1"} | more


def at(second: int) -> datetime:
    return datetime(2026, 10, 1, 8, 0, second, tzinfo=UTC)


def queries(upstream: Upstream, path: str) -> list[dict[str, str]]:
    """The parameters of each request to a path."""
    parts = [urlsplit(seen.path) for seen in upstream.seen]
    return [{key: each[0] for key, each in parse_qs(part.query).items()} for part in parts if part.path == path]


def text_form(upstream: Upstream, refusal: int) -> None:
    """An upstream without version 3 of logs."""
    upstream.answers("GET", V3, Answer(refusal, {"error": "Not Implemented"}))
    upstream.answers("GET", V2, Answer(body=TEXT.encode(), headers={"content-type": "text/plain"}))


def test_version_3_is_beside_version_2() -> None:
    for backend in (hugging_face("hf_x"), local("http://127.0.0.1:8080", TOKEN)):
        assert backend.base_url(Service.CONTROL_PLANE_V3) == backend.control_plane.replace("/v2", "/v3")


async def test_the_service_filters_by_itself(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    upstream.answers("GET", V3, Answer(body=[entry(5)]))
    lines = await endpoints.logs("chat", tail=7, replica="r-1", search="Line", since=at(1), until=at(9))
    assert [each.line for each in lines] == ["line 5"]
    assert queries(upstream, V3) == [
        {
            "limit": "7",
            "replica": "r-1",
            "search": "Line",
            "since": "2026-10-01T08:00:01Z",
            "until": "2026-10-01T08:00:09Z",
        }
    ]
    assert lines.complete


@pytest.mark.parametrize("rel", ["next", "prev"])
async def test_older_pages_are_read_by_their_cursor(
    upstream: Upstream, endpoints: AsyncEndpointsClient, rel: str
) -> None:
    link = f'<https://elsewhere.example/logs?before=c%2B1>; rel="{rel}", </logs/sse?after=z>; rel="next_sse"'
    upstream.answers(
        "GET", V3, Answer(body=[entry(3), entry(4)], headers={"link": link}), Answer(body=[entry(1), entry(2)])
    )
    lines = await endpoints.logs("chat", tail=3, search="line")
    assert [each.line for each in lines] == ["line 2", "line 3", "line 4"]
    assert queries(upstream, V3) == [
        {"limit": "3", "search": "line"},
        {"limit": "1", "search": "line", "before": "c+1"},
    ]


@pytest.mark.parametrize("last", [[], [entry(1)]])
async def test_an_upstream_that_always_links_to_an_older_page_comes_to_an_end(
    upstream: Upstream, endpoints: AsyncEndpointsClient, last: list[dict[str, Any]]
) -> None:
    link = {"link": '<?before=same>; rel="prev"'}
    upstream.answers("GET", V3, Answer(body=[entry(2)], headers=link), Answer(body=last, headers=link))
    assert len(await endpoints.logs("chat")) == 1 + len(last)
    assert len(queries(upstream, V3)) == 2


async def test_a_full_page_is_followed_by_the_one_before(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    newest = [entry(3)] * 5_000
    upstream.answers(
        "GET", V3, Answer(body=newest, headers={"link": '<?before=c1>; rel="prev"'}), Answer(body=[entry(1), entry(2)])
    )
    lines = await endpoints.logs("chat", tail=5_001)
    assert [lines[0].line, len(lines)] == ["line 2", 5_001]
    assert queries(upstream, V3) == [{"limit": "5000"}, {"limit": "1", "before": "c1"}]


@pytest.mark.parametrize("refusal", [501, 404])
async def test_without_version_3_the_text_of_version_2_is_read_and_version_3_not_asked_again(
    upstream: Upstream, endpoints: AsyncEndpointsClient, refusal: int
) -> None:
    text_form(upstream, refusal)
    for _ in range(2):
        lines = await endpoints.logs("chat", tail=3)
        assert [each.line for each in lines][1:] == ["torch.OutOfMemoryError: CUDA out of memory", "WARNING slow"]
    assert len(queries(upstream, V3)) == 1
    assert queries(upstream, V2) == [{"tail": "3"}] * 2


async def test_a_missing_endpoint_is_no_missing_version(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    with pytest.raises(NotFound):
        await endpoints.logs("chat")
    upstream.answers("GET", V3, Answer(body=[entry(1)]))
    assert len(await endpoints.logs("chat")) == 1


async def test_a_missing_replica_is_no_missing_version(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    text_form(upstream, 404)
    await endpoints.logs("chat", replica="gone")
    upstream.answers("GET", V3, Answer(body=[entry(1)]))
    assert [each.line for each in await endpoints.logs("chat")] == ["line 1"]


async def test_text_is_filtered_as_the_service_would(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    text_form(upstream, 501)

    async def read(**arguments: Any) -> list[str]:
        lines = await endpoints.logs("chat", **arguments)
        assert lines.complete
        return [each.line.split()[-1] for each in lines]

    assert await read(level="error") == ["last):", "load", "memory"]
    assert await read(level="warning", since=at(2)) == ["memory", "slow"]
    assert await read(search="FILE") == ["load"]
    assert await read(level="error", search="file") == ["load"]
    assert await read(since=at(1), until=at(2)) == ["last):", "load", "memory"]
    assert await read(search="a", tail=1) == ["slow"] == await read(tail=1)


async def test_where_older_text_was_not_searched_the_result_shows_it(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    text_form(upstream, 501)
    upstream.answers(
        "GET", V2, Answer(body=b"- 2026-10-01T08:00:00Z x\n" * 2_000, headers={"content-type": "text/plain"})
    )
    assert not (await endpoints.logs("chat", search="y")).complete
    assert (await endpoints.logs("chat")).complete


async def test_tracebacks_of_two_replicas_are_kept_apart(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    log = [
        entry(1, "Traceback (most recent call last):"),
        entry(2, "INFO fine", replica_id="r-2"),
        entry(3, '  File "model.py"'),
        entry(4, "  all good", replica_id="r-2"),
    ]
    upstream.answers("GET", V3, Answer(body=log))
    assert [each.line.strip() for each in await endpoints.logs("chat", level="error")] == [
        "Traceback (most recent call last):",
        'File "model.py"',
    ]


async def test_severe_lines_before_the_newest_are_found_by_the_service(driver: Driver) -> None:
    await driver.create()
    old: list[tuple[float, str | None, str]] = [(99, "error", "ERROR old"), (98, "warning", "WARN old")]
    new: list[tuple[float, str | None, str]] = [(minute / 100, "info", "INFO new") for minute in range(3_000, 1, -1)]
    write_log(driver, [*old, *new, (0, None, "RuntimeError: newest")])
    async with AsyncEndpointsClient(local(driver.url, TOKEN), namespace="acme") as client:
        assert [each.line for each in await client.logs("chat", level="error")] == ["ERROR old", "RuntimeError: newest"]
        assert [each.line for each in await client.logs("chat", level="warning", tail=2)] == [
            "WARN old",
            "RuntimeError: newest",
        ]
        driver.plane.faults.arm(Fault.NOT_IMPLEMENTED, "get_logs")
        lines = await client.logs("chat", level="error")
        assert ([each.line for each in lines], lines.complete) == (["RuntimeError: newest"], False)
