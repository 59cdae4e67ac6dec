"""HTTP as all workers handle it: bounded JSON bodies, errors in the form of the route's API, and disconnects.

Handlers raise starlette's HTTPException with a sentence that states what to change. No message quotes the request.
"""

import asyncio
import json
from collections.abc import Awaitable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_WORKER_BODY_BYTES = 10 * 1024 * 1024
CLIENT_CLOSED_REQUEST = 499

T = TypeVar("T")


def model_app(model: str, routes: Sequence[Route]) -> Starlette:
    """The application of a worker's routes and `GET /v1/models`, with every error in the form of its route's API."""

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": model, "object": "model", "owned_by": "local"}]})

    served = sorted({route.path for route in routes})

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"This endpoint serves {', '.join(served)}"
        return error_response(request.url.path, error.status_code, detail, getattr(error, "field", None))

    async def on_disconnect(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    async def on_failure(request: Request, _: Exception) -> Response:
        return error_response(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed on this input")

    app = Starlette(
        routes=[*routes, Route("/v1/models", models)],
        exception_handlers={HTTPException: on_http_error, ClientDisconnect: on_disconnect, Exception: on_failure},
    )
    app.router.redirect_slashes = False  # to this process, whose address and secret no caller knows
    return app


class InputRefused(HTTPException):
    """The route does not accept the request, because of `field` if that is known."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(status, message)
        self.field = field


def error_response(path: str, status: int, message: str, field: str | None = None) -> JSONResponse:
    """An error as a response; see error_body."""
    return JSONResponse(error_body(path, status, message, field), status)


def error_body(path: str, status: int, message: str, field: str | None = None) -> dict[str, Any]:
    """The OpenAI error object below /v1, `{"error": message}` on the task API."""
    if not path.startswith("/v1/"):
        return {"error": message}
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    return {"error": {"message": message, "type": kind, "param": field, "code": status}}


def malformed(message: str, field: str | None = None) -> InputRefused:
    """400, as the OpenAI API answers what it does not understand."""
    return InputRefused(HTTPStatus.BAD_REQUEST, message, field)


def unprocessable(message: str, field: str | None = None) -> InputRefused:
    """422: understood, but nothing that this model does; on the task API also what is not understood."""
    return InputRefused(HTTPStatus.UNPROCESSABLE_ENTITY, message, field)


async def read_body(request: Request, limit: int = MAX_WORKER_BODY_BYTES) -> bytearray:
    """The body. Raises 413 above so many bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit // 2**20} MiB")
    return body


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises 400 for anything else and 413 above MAX_WORKER_BODY_BYTES."""
    return parse_json(await read_body(request))


def parse_json(body: bytes | bytearray) -> dict[str, Any]:
    """A body as a JSON object. Raises 400, and 422 for invalid text."""
    try:
        value = json.loads(body)
        # Python accepts NaN and half of a surrogate pair, which JSON cannot express and engines fail on.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        field = next(_not_text(value))
        raise unprocessable(f"`{field}` contains half of a surrogate pair, which is no character", field) from None
    except (ValueError, RecursionError):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body is not valid JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body must be a JSON object")
    return value


def _not_text(value: Any, *path: str) -> Iterator[str]:
    """The paths of what cannot be encoded as UTF-8."""
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, member in members:
            yield from _not_text(member, *path, str(name))
            yield from _not_text(name, *path)
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        yield ".".join(path).encode("utf-8", "replace").decode()


def texts(value: object, name: str) -> list[str]:
    """One text or a list of them, as a list. Raises 422 with the name of the field."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(text, str) and text for text in values):
        raise unprocessable(f"`{name}` must be a non-empty string or a list of them")
    return values


def parameters(body: dict[str, Any]) -> dict[str, Any]:
    """The `parameters` of a task body, without those that are null. Raises 422."""
    values = body.get("parameters") or {}
    if not isinstance(values, dict):
        raise unprocessable("`parameters` must be an object")
    return {name: value for name, value in values.items() if value is not None}


def record_tokens(request: Request, *, prompt: int, completion: int | None = None) -> None:
    """Add the token counts to this request's log line."""
    completed = "" if completion is None else f" + {completion} completion"
    request.state.tokens = f", {prompt} prompt{completed} tokens"


async def cancel_on_disconnect(request: Request, work: Awaitable[T]) -> T:
    """Await `work`. Cancels it and raises ClientDisconnect as soon as the client disconnects."""
    working, disconnect = asyncio.ensure_future(work), asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait((working, disconnect), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        disconnect.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
