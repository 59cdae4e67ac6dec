"""Read what was too long or too large for the answer to a call: for a while, and only for its caller."""

from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.types import INVALID_PARAMS, Resource, ResourceTemplate

from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.token_bound import MAX_ANSWER_TOKENS, head_length
from inference_endpoints_mcp.server.tool_calls import is_offered
from inference_endpoints_mcp.tools.call_context import CallContext, open_call
from inference_endpoints_mcp.tools.kept_outputs import MINUTES_KEPT, SCHEME, KeptOutput

_ROOM = 200
"""Tokens of a page for its fence and for where it continues."""

_TOOL = "call_endpoint"
"""The tool that policy must allow before there are outputs."""

_TEMPLATE = ResourceTemplate(
    uri_template=SCHEME + "{output_id}/{offset}",
    name="output_of_an_endpoint",
    title="Output of an endpoint",
    description=f"What did not fit into the answer to a call, for {MINUTES_KEPT} minutes. Text from this character on.",
)


def output_templates(policy: Policy) -> list[ResourceTemplate]:
    return [_TEMPLATE] if is_offered(policy, _TOOL) else []


def is_output(uri: str) -> bool:
    return uri.startswith(SCHEME)


async def read_output(context: Context[Any, Any], uri: str) -> ReadResourceContents:
    """A file whole, a text as much as an answer has, with where it goes on. Raises `MCPError` if there is none."""
    call = await open_call(context)
    name, _, offset = uri.removeprefix(SCHEME).partition("/")
    kept = call.outputs.find(SCHEME + name, call.caller)
    if kept is None or (offset and not (offset.isascii() and offset.isdecimal() and len(offset) < 10)):
        raise MCPError(
            INVALID_PARAMS,
            f"This output has expired or belongs to another caller: outputs are kept for {MINUTES_KEPT} minutes. "
            "Make the call again.",
            {"uri": uri},
        )
    if isinstance(kept.content, bytes):
        return ReadResourceContents(kept.content, kept.media_type)
    return ReadResourceContents(_page(call, kept, kept.content, int(offset or 0)), kept.media_type)


async def list_outputs(ctx: ServerRequestContext[Any, Any], policy: Policy) -> list[Resource]:
    """The outputs that are kept for the caller, the newest first."""
    if not is_offered(policy, _TOOL):
        return []
    call = await open_call(Context(request_context=ctx))
    return [
        Resource(uri=kept.uri, name=kept.uri.removeprefix(SCHEME), description=kept.name, mime_type=kept.media_type)
        for kept in call.outputs.of_caller(call.caller)
    ]


def _page(call: CallContext, kept: KeptOutput, text: str, offset: int) -> str:
    left = text[offset:]
    length = head_length(left, MAX_ANSWER_TOKENS - _ROOM)
    fenced = call.fence.wrap_head("model", left, length)
    return f"{fenced}\nIt continues at {kept.uri}/{offset + length}" if length < len(left) else fenced
