"""A caller over HTTP may narrow the operator's limits by headers, and never widens them.

`X-Endpoints-Read-Only: true`, `X-Endpoints-Tools`, `X-Endpoints-Toolsets`, `X-Endpoints-Namespaces`,
`X-Endpoints-Hardware` (lists separated by commas), `X-Endpoints-Max-Price-Per-Hour`, …: a limit each.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import narrowed_to
from inference_endpoints_mcp.tools.spec import Toolset

PREFIX = "x-endpoints-"


async def narrowing(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: hold the request to what its headers ask for, besides what the operator allows."""
    headers = getattr(ctx.request, "headers", None)
    before = narrowed_to.set(limits_in(headers) if headers else None)
    try:
        return await call_next(ctx)
    finally:
        narrowed_to.reset(before)


def limits_in(headers: Mapping[str, str]) -> Limits | None:
    """The limits named in headers, None if there are none. Raises `MCPError` on one that is wrong."""
    given = [(key.lower(), value) for key, value in headers.items() if key.lower().startswith(PREFIX)]
    if not given:
        return None
    # Of a header that is there twice, a proxy's and a caller's own, neither may win over the other.
    twice = [key for key, times in Counter(key for key, _ in given).items() if times > 1]
    if twice:
        raise _wrong(twice)
    try:
        limits = Limits.model_validate({key.removeprefix(PREFIX).replace("-", "_"): value for key, value in given})
    except ValidationError as error:
        raise _wrong(_header(problem["loc"][0]) for problem in error.errors()) from None
    unknown = unknown_names(limits)
    if unknown:
        raise _wrong(_header(rule) for rule in unknown)
    return limits


def unknown_names(limits: Limits) -> dict[str, set[str]]:
    """The tools and toolsets limits name and that do not exist, by the setting that names them."""
    unknown = {"toolsets": set(limits.toolsets) - {toolset.value for toolset in Toolset}}
    if limits.tools:
        from inference_endpoints_mcp.tools.registry import TOOLS

        unknown["tools"] = set(limits.tools) - {spec.name for spec in TOOLS}
    return {rule: names for rule, names in unknown.items() if names}


def _header(rule: str | int) -> str:
    return PREFIX + str(rule).replace("_", "-")


def _wrong(headers: Iterable[str]) -> MCPError:
    named = ", ".join(sorted(set(headers)))[:500]
    return MCPError(INVALID_PARAMS, f"These headers are no limits of this server: {named}")
