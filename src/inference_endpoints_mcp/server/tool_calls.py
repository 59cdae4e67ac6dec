"""Tools over MCP: lists the published contract, calls tools, and renders what they return or raise.

Schemas come from the contract in the wheel, and a tool is built on its first call. Building all of them at the start
would double the time to the first answer.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult, TextContent
from mcp.types import Tool as ListedTool
from pydantic import ValidationError

from inference_endpoints.errors import InferenceEndpointError, NotFound
from inference_endpoints_mcp.policy.caller import caller_id, request_id
from inference_endpoints_mcp.policy.concurrency import ConcurrencyLimits
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.answers import rendering
from inference_endpoints_mcp.server.features.mcp_app import SHOWN_IN_APP, link_to_app, shows_app
from inference_endpoints_mcp.server.observability.json_log import with_facts
from inference_endpoints_mcp.server.observability.telemetry import CANCELLED, OK, Telemetry
from inference_endpoints_mcp.tools.call_context import InputNeeded, given_arguments
from inference_endpoints_mcp.tools.spec import Toolset, ToolSpec

log = logging.getLogger(__name__)


@cache
def tool_specs() -> dict[str, ToolSpec]:
    # The tools import most of the package. The handshake and `tools/list` do not need them.
    from inference_endpoints_mcp.tools.registry import TOOLS

    return {spec.name: spec for spec in TOOLS}


@cache
def app_tool_specs() -> dict[str, ToolSpec]:
    from inference_endpoints_mcp.tools.registry import APP_TOOLS

    return {spec.name: spec for spec in APP_TOOLS}


def is_offered(policy: Policy, tool: str) -> bool:
    """Whether policy allows a tool. If it allows all, the tools are not loaded."""
    return policy.allows_every_tool or all(policy.offers(spec) for spec in _allowed_with(tool))


def _allowed_with(tool: str) -> list[ToolSpec]:
    """The tools that policy must allow for this one: itself, or for one of the app those whose answers it shows."""
    of_app = app_tool_specs().get(tool)
    return [tool_specs()[name] for name in of_app.shows] if of_app else [tool_specs()[tool]]


def find_unknown_tools(limits: Limits) -> dict[str, set[str]]:
    """Tools and toolsets in the limits that do not exist, by the setting that names them."""
    unknown = {"toolsets": set(limits.toolsets) - {toolset.value for toolset in Toolset}}
    if limits.tools:
        unknown["tools"] = set(limits.tools) - tool_specs().keys()
    return {setting: names for setting, names in unknown.items() if names}


@cache
def published_tools() -> Sequence[ListedTool]:
    """The generated contract (`make manifests`)."""
    return _read_contract("contract.json")


@cache
def published_app_tools() -> Sequence[ListedTool]:
    """The contract of the app's tools. Hosts keep them from the model, as their visibility says."""
    tools = _read_contract("app_contract.json")
    return [tool.model_copy(update={"meta": link_to_app(app_only=True)}) for tool in tools]


@cache
def published_names() -> frozenset[str]:
    """The names of all tools: no other name that a caller makes up is a label of a measurement."""
    return frozenset(tool.name for tool in [*published_tools(), *published_app_tools()])


def _read_contract(name: str) -> list[ListedTool]:
    contract = resources.files("inference_endpoints_mcp").joinpath(name).read_text("utf-8")
    return [ListedTool.model_validate(tool) for tool in json.loads(contract)]


class ToolCalls:
    """Lists and calls the tools that policy allows."""

    def __init__(
        self, policy: Policy, concurrency: ConcurrencyLimits, redactor: Redactor, telemetry: Telemetry
    ) -> None:
        self._policy = policy
        self._concurrency = concurrency
        self._redactor = redactor
        self._telemetry = telemetry

    def list_tools(self, *, with_app: bool = False) -> Sequence[ListedTool]:
        """The tools; for a host that shows the app with links to it, and with the app's own."""
        tools: Sequence[ListedTool] = published_tools()
        if with_app:
            linked = {name: link_to_app() for name in SHOWN_IN_APP}
            tools = [tool.model_copy(update={"meta": linked.get(tool.name)}) for tool in tools]
            tools = [*tools, *published_app_tools()]
        return [tool for tool in tools if is_offered(self._policy, tool.name)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any]
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. Every error of a tool becomes a result; raises `MCPError` for a tool that does not exist."""
        started, result = time.monotonic(), None
        try:
            result = await self._call(name, arguments, context)
        except MCPError:
            raise
        except Exception:
            # The SDK would put the error's own text into its answer.
            crashed = request_id()
            log.exception("a call crashed [%s]", crashed)
            result = rendering.render_crash("the tool", crashed)
        finally:
            if name in published_names():
                outcome, duration, characters = _measure(result, time.monotonic() - started)
                self._telemetry.record_call(name, outcome, duration, characters)
                facts = with_facts(tool=name, outcome=outcome, duration_s=round(duration, 3), characters=characters)
                log.info("%s: %s", name, outcome, extra=facts)
        return result

    async def _call(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any]
    ) -> CallToolResult | InputRequiredResult:
        of_app = app_tool_specs().get(name) if shows_app(context) else None
        spec = of_app or tool_specs().get(name)
        if spec is None:
            near = rendering.find_similar_name(name[:100], tool_specs())
            raise MCPError(INVALID_PARAMS, "Unknown tool." + (f" Did you mean {near}?" if near else ""))
        try:
            for allowed in _allowed_with(name):
                self._policy.check_tool(allowed)
            async with self._concurrency.counted(caller_id(), waits=spec.waits):
                given = given_arguments(arguments)
                result = _with_next_page(name, given, await _build(spec).run(given, context))
        except InferenceEndpointError as error:
            return rendering.render_error(error, self._redactor)
        except ToolError as error:
            missing = next((cause for cause in _causes(error) if isinstance(cause, NotFound)), None)
            if missing is not None:
                from inference_endpoints_mcp.server.answers.similar_names import add_similar_names  # imports the tools

                await add_similar_names(missing, arguments, context)
            return self._render_tool_error(spec, error)
        render = rendering.render_for_app if of_app else rendering.render_result
        return render(result, self._redactor)

    def _render_tool_error(self, spec: ToolSpec, error: ToolError) -> CallToolResult | InputRequiredResult:
        for cause in _causes(error):
            if isinstance(cause, InputNeeded):
                return cause.result
            if isinstance(cause, InferenceEndpointError):
                return rendering.render_error(cause, self._redactor)
        if isinstance(error.__cause__, ValidationError):
            known = list(_build(spec).parameters.get("properties", {}))
            return rendering.render_invalid_arguments(spec.name, error.__cause__, known, self._redactor)
        crashed = request_id()
        log.error("tool %s crashed [%s]", spec.name, crashed, exc_info=error.__cause__)
        return rendering.render_crash(spec.name, crashed)


def _measure(result: CallToolResult | InputRequiredResult | None, duration: float) -> tuple[str, float, int]:
    """How a call ended, how long it took, and how many characters a model reads of it."""
    if not isinstance(result, CallToolResult):
        return CANCELLED if result is None else "INPUT_REQUIRED", duration, 0
    outcome = (result.meta or {}).get(rendering.ERROR_META, {}).get("code", OK)
    return outcome, duration, sum(len(part.text) for part in result.content if isinstance(part, TextContent))


def _with_next_page(name: str, arguments: Mapping[str, Any], result: Any) -> Any:
    from inference_endpoints_mcp.tools.outputs import PagedOutput  # loaded with the tool that just ran

    return result.add_next_page_call(name, arguments) if isinstance(result, PagedOutput) else result


def _build(spec: ToolSpec) -> Tool:
    from inference_endpoints_mcp.tools.schema import build_tool  # the SDK's tools cost start-up time

    return build_tool(spec)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__
