"""The answer to a request that no server of MCP sees: clients show the error of JSON-RPC in it to their users."""

from collections.abc import Mapping

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse


def refusal(message: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    error = {"code": INVALID_REQUEST, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers)
