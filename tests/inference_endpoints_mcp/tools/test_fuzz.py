"""Arguments no person would think of, drawn from each tool's own schema and from beside it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, text_of
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.server.answers.rendering import ERROR_META
from inference_endpoints_mcp.server.tool_calls import published_tools

pytestmark = pytest.mark.anyio

EXAMPLES = 400
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values this schema allows, its bounds among them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"]), max_size=3)
        case "object" if "properties" in schema:
            return objects(schema)
        case _:
            return st.dictionaries(st.text(max_size=20), ANYTHING, max_size=3)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: fitting(value) for name, value in schema["properties"].items()}
    needed = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(needed, optional=fields)


def arguments(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """What fits, or what fits but for one argument, which may be none of the tool's; often about a real endpoint."""
    fits = objects(schema)
    named = fits.map(lambda given: given | {"endpoint_name": "chat"} if "endpoint_name" in given else given)
    name = st.sampled_from(sorted(schema["properties"])) if schema["properties"] else st.text(max_size=20)
    spoilt = st.tuples(fits, name | st.text(max_size=20), ANYTHING).map(lambda drawn: drawn[0] | {drawn[1]: drawn[2]})
    return named | fits | spoilt


CALLS = st.sampled_from(published_tools()).flatmap(
    lambda tool: st.tuples(st.just(tool.name), arguments(tool.input_schema).map(as_json))
)


def as_json(value: dict[str, Any]) -> dict[str, Any]:
    """As it arrives: JSON has no lone surrogates, and keys that are strings."""
    return json.loads(json.dumps(value).encode("utf-8", "replace"))  # type: ignore[no-any-return]


@pytest.fixture
async def hasty(driver: Driver, host_of: HostOf, anyio_backend: str) -> Any:
    """A host with a very short time limit for calls."""
    await driver.create()
    async with host_of(host_timeout_s=0.02) as host:
        yield host


@given(drawn=CALLS)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_argument_crashes_a_tool(hasty: Host, drawn: tuple[str, dict[str, Any]]) -> None:
    tool, given = drawn
    result = await hasty.send(tool, **given)
    if not result.is_error:
        return
    code = (result.meta or {})[ERROR_META]["code"]
    assert code != "INTERNAL"
    assert text_of(result).startswith(f"{code}: ")
    assert len(text_of(result)) < 2_000
