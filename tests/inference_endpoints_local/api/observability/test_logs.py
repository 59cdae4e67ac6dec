"""Version 3 of logs, over REST: filters, pages, and the text to download."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.planes.log_lines import REPLICA, write_log
from tests.support.planes.plane_driver import Driver, RawResponse

pytestmark = pytest.mark.anyio
LOGS = "/v3/endpoint/acme/chat/logs"
ENTRIES: list[tuple[float, str | None, str]] = [
    (5, "info", "INFO one"),
    (4, None, "two"),
    (3, "error", "ERROR three"),
    (2, "info", "INFO four"),
    (1, "warning", "WARN five"),
]


async def read(driver: Driver, query: str = "") -> list[str]:
    return lines_of(await driver.call("GET", f"{LOGS}?{query}"))


def lines_of(answer: RawResponse) -> list[str]:
    assert answer.status == 200, answer
    return [entry["line"].split()[-1] for entry in answer.body]


def links_of(answer: RawResponse) -> dict[str, str]:
    return {rel: path for path, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("link", ""))}


def z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_entries_are_filtered_by_level_text_replica_and_time(driver: Driver) -> None:
    await driver.create()
    now = write_log(driver, ENTRIES)
    assert await read(driver) == ["one", "two", "three", "four", "five"]
    assert await read(driver, "level=INFO") == ["one", "four"]
    assert await read(driver, "search=THR") == ["three"]
    assert await read(driver, "replica=other") == []
    assert await read(driver, f"replica={REPLICA}&line_max_length=3&level=error") == ["ERR"]
    second, fourth = z(now - timedelta(minutes=4)), z(now - timedelta(minutes=2))
    assert await read(driver, f"since={second}&until={fourth}") == ["two", "three", "four"]


async def test_a_limit_keeps_the_newest_or_the_oldest_and_the_order_is_always_by_time(driver: Driver) -> None:
    await driver.create()
    write_log(driver, ENTRIES)
    assert await read(driver, "limit=2") == ["four", "five"]
    assert await read(driver, "limit=2&order=asc") == ["one", "two"]


@pytest.mark.parametrize(("order", "rel"), [("desc", "prev"), ("asc", "next")])
async def test_links_lead_through_all_pages(driver: Driver, order: str, rel: str) -> None:
    await driver.create()
    write_log(driver, ENTRIES)
    path: str | None = f"{LOGS}?limit=2&order={order}"
    pages: list[list[str]] = []
    while path:
        answer = await driver.call("GET", path)
        pages.append(lines_of(answer))
        path = links_of(answer).get(rel)
    in_order = ["one", "two", "three", "four", "five"]
    read_lines = [line for page in (pages if order == "asc" else pages[::-1]) for line in page]
    assert read_lines == in_order
    assert len(pages) == 3


async def test_no_entry_of_a_millisecond_is_lost_between_pages(driver: Driver) -> None:
    await driver.create()
    write_log(driver, [(2, None, "one"), (1, None, "two"), (1, None, "three"), (1, None, "four")])
    answer = await driver.call("GET", LOGS + "?limit=1")
    assert lines_of(answer) == ["two", "three", "four"]
    assert lines_of(await driver.call("GET", links_of(answer)["prev"])) == ["one"]


async def test_without_a_limit_a_page_has_1000_entries_and_never_more_than_5000(driver: Driver) -> None:
    await driver.create()
    write_log(driver, [(minute, None, "line") for minute in range(5_200, 0, -1)])
    assert len(await read(driver)) == 1_000
    assert len(await read(driver, "limit=9999")) == 5_000


async def test_a_page_links_to_the_stream_that_continues_it(driver: Driver) -> None:
    await driver.create()
    await driver.advance(20)
    answer = await driver.call("GET", LOGS + "?limit=1&search=simulated")
    assert links_of(answer)["next_sse"].startswith(f"{LOGS}/sse?search=simulated&after=")


async def test_the_download_is_a_text_with_time_replica_and_level(driver: Driver) -> None:
    await driver.create()
    now = write_log(driver, ENTRIES)
    answer = await driver.call("GET", LOGS + f"/download?until={z(now - timedelta(minutes=4))}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-chat-logs.txt"'
    first, second = (z(now - timedelta(minutes=minutes)) for minutes in (5, 4))
    assert answer.body.decode() == f"{first} {REPLICA} INFO INFO one\n{second} {REPLICA} INFO two\n"
    assert (await driver.call("GET", LOGS + "/download?level=warning")).body.endswith(b" WARNING WARN five\n")


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=5", "limit=0", "limit=x", "order=up", "after=later", "line_max_length=-1"]
)
async def test_queries_that_make_no_sense_are_refused(driver: Driver, query: str) -> None:
    await driver.create()
    assert (await driver.call("GET", f"{LOGS}?{query}")).status == 400


@pytest.mark.parametrize("path", ["", "/download", "/sse"])
async def test_logs_can_be_made_unavailable_by_a_fault(driver: Driver, path: str) -> None:
    await driver.create()
    operation = {"": "get_logs", "/download": None, "/sse": "follow_logs"}[path]
    fault: dict[str, Any] = {"fault": "not_implemented", "operation": operation}
    assert (await driver.call("POST", "/local/faults", fault)).status == 200
    answer = await driver.call("GET", LOGS + path)
    assert (answer.status, answer.body["code"]) == (501, "NOT_IMPLEMENTED")
