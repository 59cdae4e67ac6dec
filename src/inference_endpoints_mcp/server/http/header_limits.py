"""Limits in HTTP headers: a caller may tighten the operator's limits for its own requests, never loosen them.

`X-Endpoints-Read-Only: true`, `X-Endpoints-Tools`, `X-Endpoints-Toolsets`, `X-Endpoints-Namespaces`,
`X-Endpoints-Hardware` (lists separated by commas), `X-Endpoints-Max-Price-Per-Hour`, …: one header for each limit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.owned_limits import HEADER_PREFIX, header_name
from inference_endpoints_mcp.policy.policy import caller_limits
from inference_endpoints_mcp.server.tool_calls import find_unknown_tools

_PREFIX = HEADER_PREFIX.lower()


async def apply_header_limits(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: apply the limits of the request's headers in addition to the operator's."""
    headers = getattr(ctx.request, "headers", None)
    token = caller_limits.set(parse_header_limits(headers) if headers else None)
    try:
        return await call_next(ctx)
    finally:
        caller_limits.reset(token)


def parse_header_limits(headers: Mapping[str, str]) -> Limits | None:
    """The limits in the headers, None if there are none. Raises `MCPError` for an invalid one."""
    given = [
        (key.lower().removeprefix(_PREFIX).replace("-", "_"), value)
        for key, value in headers.items()
        if key.lower().startswith(_PREFIX)
    ]
    if not given:
        return None
    # A header that a proxy and the caller both set is ambiguous: neither may override the other.
    repeated = [setting for setting, times in Counter(setting for setting, _ in given).items() if times > 1]
    if repeated:
        raise _invalid_headers(repeated)
    try:
        limits = Limits.model_validate(dict(given))
    except ValidationError as error:
        raise _invalid_headers(str(problem["loc"][0]) for problem in error.errors()) from None
    unknown = find_unknown_tools(limits)
    if unknown:
        raise _invalid_headers(unknown)
    return limits


def _invalid_headers(settings: Iterable[str]) -> MCPError:
    names = ", ".join(sorted(set(map(header_name, settings))))[:500]
    return MCPError(INVALID_PARAMS, f"These headers do not hold valid limits: {names}")
