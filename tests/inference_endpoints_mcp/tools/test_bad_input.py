"""Wrong input of every kind, through a real client: a clear refusal, nothing changed, and the server goes on."""

import sys
from typing import Any

import pytest
from tests.support.hosts.host import Host, parts_of, text_of
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.server.tool_calls import tool_specs

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}


CYRILLIC = "\u0441hat"
"""Looks like `chat`."""


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("get_endpoint", {}, "endpoint_name"),
    ("get_endpoint", {"endpoint_name": ""}, "endpoint_name"),
    ("get_endpoint", {"endpoint_name": None}, "endpoint_name"),
    ("get_endpoint", {"endpoint_name": ["chat"]}, "endpoint_name"),
    ("get_endpoint", {"endpoint_name": "x" * 100_000}, "endpoint_name"),
    ("list_endpoints", {"limit": 0}, "limit"),
    ("list_endpoints", {"limit": 1e9}, "limit"),
    ("list_endpoints", {"limit": "many"}, "limit"),
    ("list_endpoints", {"offset": -1}, "offset"),
    ("list_endpoints", {"state": "asleep"}, "state"),
    ("create_endpoint", NEW | {"min_replica": -1}, "min_replica"),
    ("create_endpoint", NEW | {"max_replica": 0}, "max_replica"),
    ("create_endpoint", NEW | {"max_replica": 10**12}, "max_replica"),
    ("create_endpoint", NEW | {"scale_to_zero_timeout": 1.5}, "scale_to_zero_timeout"),
    ("update_endpoint", {"endpoint_name": "chat", "scale_to_zero_timeout": 14}, "scale_to_zero_timeout"),
    ("create_endpoint", NEW | {"type": "protected"}, "type"),
    ("create_endpoint", NEW | {"env": {"A": 1}}, "env"),
    ("create_endpoint", NEW | {"env": "A=1"}, "env"),
    ("create_endpoint", NEW | {"config": []}, "config"),
    ("create_endpoint", NEW | {"dry_run": "perhaps"}, "dry_run"),
    ("create_endpoint", NEW | {"repository": ""}, "repository"),
    ("wait_for_endpoint", {"endpoint_name": "chat", "timeout_s": 0}, "timeout_s"),
    ("wait_for_endpoint", {"endpoint_name": "chat", "until": "ready"}, "until"),
    ("call_endpoint", {"endpoint_name": "chat", "texts": "a"}, "texts"),
    ("call_endpoint", {"endpoint_name": "chat", "texts": ["a"] * 300}, "texts"),
    ("call_endpoint", {"endpoint_name": "chat", "text": "a" * 300_000}, "text"),
    ("chat_with_endpoint", {"endpoint_name": "chat", "messages": ["hello"]}, "messages"),
    ("chat_with_endpoint", {"endpoint_name": "chat", "message": "a", "temperature": 9}, "temperature"),
    ("get_endpoint_logs", {"endpoint_name": "chat", "tail": 100_000}, "tail"),
]
WRONG_NESTINGS: list[dict[str, Any]] = [
    {"compute": None},
    {"compute": {"scaling": None}},
    {"compute": {"scaling": []}},
    {"model": None},
    {"model": {"env": None}},
    {"model": {"image": None}},
    {"model": {"image": {}}},
]
REFUSED: list[tuple[str, dict[str, Any]]] = [
    *(
        (tool, {"endpoint_name": name})
        for tool in ("get_endpoint", "pause_endpoint", "wait_for_endpoint", "get_endpoint_logs")
        for name in (
            "../acme/chat",
            "acme/../chat",
            "a/b/c",
            "/",
            "acme/",
            "%2e%2e",
            "chat?x=1",
            "chat#x",
            "ch at",
            CYRILLIC,
        )
    ),
    ("get_endpoint", {"endpoint_name": "chat", "namespace": "../acme"}),
    ("list_endpoints", {"namespace": "acme/chat"}),
    ("get_vendors", {"namespace": ".."}),
    *(
        ("create_endpoint", NEW | {"endpoint_name": name})
        for name in ("UPPER", "-a", "a-", "a_b", "a" * 33, CYRILLIC, "a\u200bb")
    ),
    ("create_endpoint", NEW | {"framework": "custom", "config": {"model": {"image": {"unknown": {}}}}}),
    ("create_endpoint", NEW | {"config": {"model": {"image": {"tgi": {}, "tei": {}}}}}),
    ("create_endpoint", NEW | {"config": {"compute": {"scaling": {"maxReplica": 1e300}}}}),
    ("create_endpoint", NEW | {"config": {"compute": {"instanceType": {"a": 1}}}}),
    ("create_endpoint", NEW | {"config": {"model": {"args": [1, None]}}}),
    ("create_endpoint", NEW | {"config": {"model": {"image": {"vLLM": "x"}}}}),
    ("create_endpoint", NEW | {"env": {"not a name": "x"}}),
    ("create_endpoint", NEW | {"env": {"A": "a\0b"}}),
    ("update_endpoint", {"endpoint_name": "chat", "config": {"compute": {"scaling": {"minReplica": -3}}}}),
    *(
        (tool, arguments | {"config": config})
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", {"endpoint_name": "chat"}))
        for config in WRONG_NESTINGS
    ),
    ("update_endpoint", {"endpoint_name": "chat", "min_replica": 5}),
]


async def state_of(driver: Driver) -> Any:
    return (await driver.call("GET", "/v2/endpoint/acme")).body["items"]


async def test_an_argument_that_breaks_its_rule_is_named_and_never_echoed(modern: Host) -> None:
    for tool, arguments, about in WRONG:
        message = await modern.refused(tool, "INVALID_ARGUMENTS", **arguments)
        assert f" {about}" in message, message
        assert len(message) < 1_500
        assert not any(isinstance(value, str) and len(value) > 50 and value in message for value in arguments.values())


async def test_an_invalid_request_is_refused_and_changes_nothing(driver: Driver, modern: Host) -> None:
    await driver.create()
    before = await state_of(driver)
    for tool, arguments in REFUSED:
        await modern.refused(tool, "BAD_REQUEST", **arguments)
    assert await state_of(driver) == before
    assert (await modern.call("whoami"))["name"] == "acme"


async def test_the_name_of_an_unknown_argument_is_cleaned_and_cut(modern: Host) -> None:
    name = "\x1b[31mli\u202emit" + "t" * 10_000
    message = await modern.refused("list_endpoints", "INVALID_ARGUMENTS", **{name: 1})
    assert "limitttt" in message
    assert len(message) < 1_000
    assert not {"\x1b", "\u202e"} & set(message)


async def test_many_wrong_arguments_are_not_all_listed(modern: Host) -> None:
    result = await modern.send("list_endpoints", **{f"argument_{number}": 1 for number in range(5_000)})
    assert len(result.model_dump_json()) < 8_000


@pytest.mark.parametrize("levels", [50, 150])
async def test_a_deeply_nested_config_crashes_nothing(driver: Driver, modern: Host, levels: int) -> None:
    result = await modern.send("create_endpoint", **NEW, config={"experimentalFeatures": deep(levels)}, dry_run=True)
    assert "INTERNAL" not in text_of(result)
    assert await state_of(driver) == []


async def test_the_control_planes_text_about_a_refusal_is_fenced(modern: Host) -> None:
    result = await modern.send("create_endpoint", **NEW, config={"compute": {"instanceType": "abacus"}})
    first, second = parts_of(result)
    assert "no abacus" not in first
    assert "no abacus" in second
    assert second.splitlines()[1].startswith("<untrusted-")


async def test_a_text_argument_that_looks_like_json_stays_text(driver: Driver, host: Host) -> None:
    await driver.create()
    for search in ("null", "123", '{"a": 1}', "[]"):
        assert (await host.call("list_endpoints", search=search))["total"] == 0


async def test_an_unexpected_failure_shows_no_internals(modern: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that is broken: its tools cannot be loaded."""
    tool_specs.cache_clear()
    monkeypatch.setitem(sys.modules, "inference_endpoints_mcp.tools.registry", None)
    message = await modern.refused("whoami", "INTERNAL")
    assert "registry" not in message
    monkeypatch.undo()
    tool_specs.cache_clear()
    assert (await modern.call("whoami"))["name"] == "acme"
