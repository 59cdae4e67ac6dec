"""What all handlers share: the token check, the JSON body of a request, and the form of an error."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.control.validation import parse_body
from inference_endpoints_local.state.store import NotSaved
from inference_endpoints_local.wire.parsing import InvalidRequest

MAX_API_BODY_BYTES = 1024 * 1024
_CODES = {413: "PAYLOAD_TOO_LARGE", 422: "UNPROCESSABLE_ENTITY"}
"""Statuses whose name depends on the version of Python."""

Handler = Callable[[Request], Awaitable[Any]]
"""Returns a JSON value, or a response of its own."""


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """In the form of the service: words for people, and a code for programs."""
    code = _CODES.get(status) or HTTPStatus(status).name
    return JSONResponse({"error": message, "code": code}, status, headers)


def server_sent_event(document: Any) -> str:
    return f"data: {json.dumps(document)}\n\n"


def has_token(request: Request, token: str) -> bool:
    """Whether the request carries this bearer token. Compared in constant time."""
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    sent = sent.strip() if scheme.lower() == "bearer" else ""
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode())


def authorized(handler: Handler, token: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
    """The handler behind the token check, with its errors as responses of the documented form."""

    async def respond(request: Request) -> Response:
        if not has_token(request, token()):
            return error_response(
                401, "Unauthorized: a valid user or organization token, sent as a Bearer, is required"
            )
        try:
            result = await handler(request)
        except InvalidRequest as error:
            return error_response(error.status, str(error))
        except RequestRefused as error:
            return error_response(error.status, str(error))
        except NotSaved as error:
            return error_response(507, f"Insufficient Storage: {error}")
        return result if isinstance(result, Response) else JSONResponse(result)

    return respond


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InvalidRequest, or RequestRefused if it is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_API_BODY_BYTES:
            raise RequestRefused(413, f"Payload Too Large: at most {MAX_API_BODY_BYTES} bytes")
    return parse_body(bytes(received))
