"""Logs through a tool: filtered, and small however long the log is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.hosts.host import OUTPUT_LIMIT, Host
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import Driver

from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

LOGGED: list[tuple[float, str | None, str]] = [
    (90, "info", "INFO loading"),
    (80, None, "Traceback (most recent call last):"),
    (80, None, '  File "model.py", line 1, in load'),
    (80, None, "torch.OutOfMemoryError: CUDA out of memory"),
    (40, "warning", "WARNING slow request"),
    (20, "error", "ERROR could not bind port 80"),
    (10, "info", "0 errors so far"),
]
"""Minutes ago, level, line."""


@pytest.fixture(params=["version 3", "version 2"], autouse=True)
def _version_of_logs(request: pytest.FixtureRequest, driver: Driver) -> None:
    """A service that searches logs, and one that does not."""
    if request.param == "version 2":
        driver.plane.faults.arm(Fault.NOT_IMPLEMENTED, "get_logs", times=1_000)


async def lines_of(host: Host, **arguments: Any) -> list[str]:
    """The returned lines, without times and fence."""
    logs = await host.call("get_endpoint_logs", endpoint_name="chat", **arguments)
    lines = [line.partition(" ")[2] for line in logs["lines"].splitlines()[1:-1]]
    assert len(lines) == logs["shown"]
    return lines


async def test_logs_are_the_newest_lines_fenced_and_filtered(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    logs = await modern.call("get_endpoint_logs", endpoint_name="chat")
    assert logs["lines"].splitlines()[0].startswith("<untrusted-")
    assert "Listening on 0.0.0.0:80" in logs["lines"].splitlines()[-2]
    assert (await modern.call("get_endpoint_logs", endpoint_name="chat", tail=1))["shown"] == 1
    found = await modern.call("get_endpoint_logs", endpoint_name="chat", contains="LOADING")
    assert (found["shown"], found["now"]) == (1, "1 line(s), oldest first.")


async def test_errors_are_shown_with_their_traceback(driver: Driver, modern: Host) -> None:
    await driver.create()
    write_log(driver, LOGGED)
    errors = await lines_of(modern, level="error", contains="")
    assert errors == [
        "Traceback (most recent call last):",
        'File "model.py", line 1, in load',
        "torch.OutOfMemoryError: CUDA out of memory",
        "ERROR could not bind port 80",
    ]
    assert await lines_of(modern, level="warning") == [*errors[:3], "WARNING slow request", errors[3]]


async def test_lines_since_a_time_are_shown_by_minutes_or_by_the_clock(driver: Driver, modern: Host) -> None:
    await driver.create()
    write_log(driver, LOGGED)
    assert await lines_of(modern, since="30") == ["ERROR could not bind port 80", "0 errors so far"]
    moment = datetime.now(UTC) - timedelta(minutes=50)
    for since in (moment.isoformat(), moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M:%S")):
        assert len(await lines_of(modern, since=since)) == 3
    nothing = await modern.call("get_endpoint_logs", endpoint_name="chat", since="5")
    assert nothing["now"] == "No line matches."
    for since in ("yesterday", "0001-01-01T00:00:00+14:00"):
        message = await modern.refused("get_endpoint_logs", "BAD_REQUEST", endpoint_name="chat", since=since)
        assert "2026-11-25T09:30:00Z" in message


@pytest.mark.parametrize("line", ["x" * 501, '"' * 501, "\U0001f600" * 251, "short"])
async def test_of_100_000_lines_the_newest_that_fit_are_shown(driver: Driver, modern: Host, line: str) -> None:
    await driver.create()
    write_log(driver, [((100_000 - number) / 60_000, "error", f"{number} ERROR {line}") for number in range(100_000)])
    for arguments in ({}, {"tail": 500, "level": "error"}):
        logs = await modern.call("get_endpoint_logs", endpoint_name="chat", **arguments)
        assert len(json.dumps(logs, ensure_ascii=False)) < OUTPUT_LIMIT
        newest = logs["lines"].splitlines()[-2]
        assert newest.partition(" ")[2].startswith("99999 ")
        assert " are not shown." in logs["now"]


async def test_lines_are_searched_however_old_where_the_service_can_search(
    driver: Driver, modern: Host, request: pytest.FixtureRequest
) -> None:
    await driver.create()
    write_log(driver, [(3_100, "error", "ERROR needle"), *((minute, "info", "hay") for minute in range(3_000, 0, -1))])
    searches = "version 3" in request.node.callspec.id
    for arguments in ({"contains": "needle"}, {"level": "error"}):
        logs = await modern.call("get_endpoint_logs", endpoint_name="chat", **arguments)
        unsearched = "Only the newest 2000 lines were searched."
        assert (logs["shown"], logs["now"]) == (
            (1, "1 line(s), oldest first.") if searches else (0, f"No line matches. {unsearched}")
        )


async def test_get_endpoint_logs_accepts_the_listed_replica_ids(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    replicas = await modern.call("get_endpoint_replicas", endpoint_name="chat")
    (replica,) = replicas["replicas"]
    assert (replica["stage"], replica["live"]) == ("running", True)
    assert (await modern.call("get_endpoint_logs", endpoint_name="chat", replica=replica["replica"]))["shown"] > 0


async def test_lines_that_each_attempt_to_start_prints_are_shown_once(driver: Driver, modern: Host) -> None:
    driver.plane.faults.clear()  # version 2 does not tell whose lines they are
    await driver.create(model={"env": {"SIMULATED_FAULT": "crash_on_start"}})
    for _ in range(4):
        await driver.advance(3_600)
    facts = await modern.call("get_endpoint_logs", endpoint_name="chat")
    assert facts["lines"].count("weights are not in a known format") == 1
    assert "more were printed again by later attempts to start." in facts["now"]


async def test_a_name_that_does_not_exist_gets_similar_ones_from_every_tool(driver: Driver, modern: Host) -> None:
    await driver.create("chat-large")
    for tool in ("get_endpoint_logs", "diagnose_endpoint", "get_endpoint_metric", "wait_for_endpoint"):
        message = await modern.refused(tool, "NOT_FOUND", endpoint_name="chat-larg")
        assert message.endswith("Nearest: chat-large. list_endpoints shows all.")
