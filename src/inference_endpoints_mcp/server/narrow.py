"""A caller over HTTP may narrow the operator's limits by headers, and never widens them.

`X-Endpoints-Read-Only: true`, `X-Endpoints-Tools`, `X-Endpoints-Toolsets`, `X-Endpoints-Namespaces`,
`X-Endpoints-Hardware` (lists separated by commas), `X-Endpoints-Max-Price-Per-Hour`, …: a limit each.
"""

from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from inference_endpoints_mcp.guard.limits import Limits
from inference_endpoints_mcp.guard.policy import narrowed_to

PREFIX = "x-endpoints-"


async def narrowing(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: hold the request to what its headers ask for, besides what the operator allows."""
    headers = getattr(ctx.request, "headers", None)
    before = narrowed_to.set(limits_in(headers)) if headers else None
    try:
        return await call_next(ctx)
    finally:
        if before is not None:
            narrowed_to.reset(before)


def limits_in(headers: Mapping[str, str]) -> Limits | None:
    """The limits named in headers, None if there are none. Raises `MCPError` on one that is wrong."""
    named = {
        key.lower().removeprefix(PREFIX).replace("-", "_"): value
        for key, value in headers.items()
        if key.lower().startswith(PREFIX)
    }
    if not named:
        return None
    try:
        return Limits.model_validate(named)
    except ValidationError as error:
        wrong = ", ".join(sorted({PREFIX + str(problem["loc"][0]).replace("_", "-") for problem in error.errors()}))
        raise MCPError(INVALID_PARAMS, f"These headers are no limits of this server: {wrong[:500]}") from None
