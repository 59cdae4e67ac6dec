"""The text that a model reads names each column once; the structured content keeps its published form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.hosts.host import Host, text_of
from tests.support.hosts.tables import without_tables
from tests.support.planes.plane_driver import Driver
from tests.support.planes.scenarios import L4

from inference_endpoints_mcp.server.answers.tables import with_tables

SCALARS = st.booleans() | st.integers() | st.text(max_size=5)
NAMES = st.sampled_from(["endpoint_name", "state", "arguments", "now", "rows"])
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=60
)


def compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def sorted_json(data: Any) -> str:
    """Tells true from 1, which are equal in Python."""
    return json.dumps(data, sort_keys=True)


@pytest.mark.anyio
async def test_a_model_reads_at_most_half_of_what_the_rows_of_a_list_would_take(driver: Driver, modern: Host) -> None:
    for number in range(16):
        await driver.create(f"chat-{number:02d}", **({"compute": L4} if number == 0 else {}))
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("list_endpoints", "endpoints", {}),
        ("get_costs", "endpoints", {}),
        ("get_vendors", "hardware", {}),
        ("get_quotas", "quotas", {}),
        ("get_audit_logs", "entries", {}),
    ]
    for tool, rows, arguments in calls:
        result = await modern.send(tool, **arguments)
        read, facts = json.loads(text_of(result)), result.structured_content or {}
        assert len(facts[rows]) >= 10, tool
        assert len(compact(read[rows])) <= len(compact(facts[rows])) / 2, tool
        assert without_tables(read) == facts, tool


@pytest.mark.anyio
async def test_two_rows_and_proposed_calls_are_as_they_were(driver: Driver, modern: Host) -> None:
    for name in ("a", "b"):
        await driver.create(name)
    result = await modern.send("list_endpoints")
    assert text_of(result) == compact(result.structured_content)
    messages = [{"role": "user", "content": str(number)} for number in range(5)]
    call = {"tool": "chat_with_endpoint", "arguments": {"messages": messages}}
    assert with_tables({"next": [call]}) == {"next": [call]}
    assert with_tables({"config": call}) == {"config": call}, "a configuration is copied too"


def test_rows_that_differ_have_null_where_they_have_nothing_and_what_all_have_is_said_once() -> None:
    rows = [{"name": "a", "state": "paused", "backend": "local"}, {"name": "b", "backend": "local"}]
    rows.append({"name": "c", "state": "paused", "backend": "local"})
    assert with_tables({"endpoints": rows}) == {
        "endpoints": {
            "in_all_rows": {"backend": "local"},
            "columns": ["name", "state"],
            "rows": [["a", "paused"], ["b", None], ["c", "paused"]],
        }
    }


@given(DATA)
def test_nothing_is_lost_whatever_an_answer_has(data: Any) -> None:
    read = json.loads(compact(with_tables(data)))
    assert sorted_json(without_tables(read)) == sorted_json(data)
