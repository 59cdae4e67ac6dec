"""What all handlers share: the token check, the JSON body of a request, and the form of an error."""

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from inference_endpoints_local.control.lifecycle import RequestRefused
from inference_endpoints_local.control.validation import parse_body

MAX_BODY_BYTES = 1024 * 1024


def error_response(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


def bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def token_matches(given: str, token: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InvalidRequest, or RequestRefused if it is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BODY_BYTES:
            raise RequestRefused(413, f"Payload Too Large: at most {MAX_BODY_BYTES} bytes")
    return parse_body(bytes(received))
