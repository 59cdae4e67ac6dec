"""The REST API, on the routes of `inference_endpoints.operations`.

What the service does where nobody has seen it is decided here, each time in favour of the least surprise.
"""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_endpoints import operations
from inference_endpoints.operations import Operation, Service
from inference_endpoints_local import catalogue, documents
from inference_endpoints_local.faults import HANG_UP, Dropped, Fault, Faults
from inference_endpoints_local.gateway import Gateway, bearer_of, error, is_token
from inference_endpoints_local.intake import BadBody
from inference_endpoints_local.intake import read as parse
from inference_endpoints_local.lifecycle import Lifecycle, Refused
from inference_endpoints_local.run import Entry
from inference_endpoints_local.store import NotSaved

logger = logging.getLogger(__name__)

PREFIX = {Service.CONTROL_PLANE: "/v2", Service.HUB: "", Service.CATALOGUE: "/api/v1/catalog"}
BODY_BYTES = 1024 * 1024
PAGE = 20  # the service's default; the largest page is not published
LARGEST_PAGE = 100

Handler = Callable[[Request], Awaitable[Any]]


class Api:
    """One handler per operation; each answers with a JSON value."""

    def __init__(self, lifecycle: Lifecycle, faults: Faults, *, token: str, url: Callable[[], str]) -> None:
        self._lifecycle = lifecycle
        self._faults = faults
        self._token = token
        self._url = url

    def routes(self) -> list[BaseRoute]:
        handlers: list[tuple[Operation[Any], Handler]] = [
            (operations.LIST, self._list),
            (operations.CREATE, self._create),
            (operations.GET, self._get),
            (operations.UPDATE, self._update),
            (operations.DELETE, self._delete),
            (operations.PAUSE, self._pause),
            (operations.RESUME, self._resume),
            (operations.SCALE_TO_ZERO, self._scale_to_zero),
            (operations.LOGS, self._logs),
            (operations.REPLICAS, self._replicas),
            (operations.VENDORS, self._vendors),
            (operations.WHOAMI, self._whoami),
            (operations.CATALOGUE, self._catalogue),
        ]
        routes: list[BaseRoute] = [Route("/v2/provider", self._public_vendors), Route("/healthz", self._health)]
        for operation, handler in handlers:
            path = PREFIX[operation.service] + operation.path
            routes.append(Route(path, self._route(operation, handler), methods=[operation.method]))
        return routes

    def authorized(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind the token, its refusals as answers of the documented form."""

        async def answer(request: Request) -> Response:
            if not is_token(bearer_of(request), self._token):
                return error(401, "Unauthorized: a valid user or organization token, sent as a Bearer, is required")
            try:
                result = await handler(request)
            except BadBody as reason:
                return error(400, str(reason))
            except Refused as refused:
                return error(refused.status, str(refused))
            except NotSaved as reason:
                return error(507, f"Insufficient Storage: {reason}")
            return result if isinstance(result, Response) else JSONResponse(result)

        return answer

    def _route(self, operation: Operation[Any], handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Any:
            namespace = request.path_params.get("namespace")
            if namespace is not None and namespace != self._lifecycle.namespace:
                # 404 rather than 403: there is one user here, and no right that could be had to another's endpoints.
                raise Refused(404, f"Not Found: namespace {namespace}; this one serves {self._lifecycle.namespace}")
            fault = self._faults.take(operation.name)
            if fault is not None and fault is not Fault.DROP_ANSWER:
                return fault.answer()
            result = await handler(request)
            return Dropped() if fault else result

        return self.authorized(answer)

    async def _list(self, request: Request) -> Any:
        query = request.query_params
        limit = min(whole_number(query.get("limit"), "limit", least=1) or PAGE, LARGEST_PAGE)
        tags = [tag for tag in query.get("tags", "").split(",") if tag]
        found = [
            entry
            for entry in self._lifecycle.entries()
            if query.get("search", "") in entry.record.name and set(tags) <= set(entry.record.spec["tags"])
        ]
        # A cursor names where the last page ended, so that endpoints deleted in between move nothing.
        after = _position(query["cursor"]) if query.get("cursor") else (0, "")
        left = [entry for entry in found if (entry.record.created_ns, entry.record.id) > after]
        page, last = left[:limit], left[limit - 1].record if len(left) > limit else None
        return {
            "items": [self._document(entry) for entry in page],
            "nextCursor": f"{last.created_ns}-{last.id}" if last else None,
            "totalItems": len(found),
        }

    async def _create(self, request: Request) -> Any:
        return self._document(self._lifecycle.create(await body_of(request)))

    async def _get(self, request: Request) -> Any:
        return self._document(self._entry(request))

    async def _update(self, request: Request) -> Any:
        # The body first: what is known of the endpoint must still be so when it is changed.
        body = await body_of(request)
        return self._document(self._lifecycle.update(self._entry(request), body))

    async def _delete(self, request: Request) -> Any:
        self._lifecycle.delete(self._entry(request))
        return {}

    async def _pause(self, request: Request) -> Any:
        return self._document(self._lifecycle.pause(self._entry(request)))

    async def _resume(self, request: Request) -> Any:
        return self._document(self._lifecycle.resume(self._entry(request)))

    async def _scale_to_zero(self, request: Request) -> Any:
        return self._document(self._lifecycle.scale_to_zero(self._entry(request)))

    async def _logs(self, request: Request) -> Any:
        query = request.query_params
        return self._lifecycle.logs.read(
            self._entry(request).record.id,
            query.get("replica"),
            whole_number(query.get("tail"), "tail"),
            whole_number(query.get("line_max_length"), "line_max_length"),
        )

    async def _replicas(self, request: Request) -> Any:
        return documents.replicas(self._entry(request))

    async def _vendors(self, request: Request) -> Any:
        del request
        return self._lifecycle.fleet.document(self._lifecycle.used())

    async def _whoami(self, request: Request) -> Any:
        del request
        return documents.whoami(self._lifecycle.namespace)

    async def _catalogue(self, request: Request) -> Any:
        query = request.query_params
        limit = whole_number(query.get("limit"), "limit")
        return {"items": [item for item in catalogue.items() if _matches(item, query)][:limit]}

    async def _public_vendors(self, request: Request) -> Response:
        del request
        return JSONResponse(self._lifecycle.fleet.document(used=None))

    async def _health(self, request: Request) -> Response:
        del request
        return PlainTextResponse("ok")

    def _entry(self, request: Request) -> Entry:
        return self._lifecycle.find(request.path_params["name"])

    def _document(self, entry: Entry) -> dict[str, Any]:
        return documents.endpoint(entry, self._url())


class Outermost:
    """Puts a request id on every answer, and hangs up where no answer is to be given."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex.encode()

        async def sending(message: Message) -> None:
            if message is HANG_UP:
                # ASGI has no word for it. uvicorn's `send` belongs to an object that knows the connection.
                transport = getattr(getattr(send, "__self__", None), "transport", None)
                if transport is not None:
                    transport.close()
                    while (await receive())["type"] != "http.disconnect":
                        pass
                return
            if message["type"] == "http.response.start":
                headers = [(key, value) for key, value in message.get("headers", ()) if key.lower() != b"x-request-id"]
                message = {**message, "headers": [*headers, (b"x-request-id", request_id)]}
            await send(message)

        await self._app(scope, receive, sending)


def build(api: Api, gateway: Gateway, extra: list[BaseRoute]) -> ASGIApp:
    """Control plane, data plane and whatever else is served, on one origin."""
    data_plane = [Route("/e/{id}", gateway), Route("/e/{id}/{path:path}", gateway)]
    routes = [*api.routes(), *data_plane, *extra]
    return Outermost(Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _crash}))


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object a request carries. Raises BadBody, or Refused if it is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES:
            raise Refused(413, f"Payload Too Large: at most {BODY_BYTES} bytes")
    return parse(bytes(received))


def whole_number(text: str | None, name: str, least: int = 0) -> int | None:
    """A number of the query. Raises Refused if it is none, or too small."""
    if text is None or text == "":
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise Refused(400, f"VALIDATION_FAILED: {name}: expected a whole number of at least {least}")
    return int(text)


def _position(cursor: str) -> tuple[int, str]:
    if not (found := re.fullmatch(r"([0-9]{1,20})-([a-z0-9]+)", cursor)):
        raise Refused(400, "VALIDATION_FAILED: cursor: not one of ours")
    return int(found[1]), found[2]


def _matches(item: dict[str, Any], query: Any) -> bool:
    """The catalogue's filters; an unset one matches everything."""
    recipes = item["recipes"]
    return (
        query.get("task") in (None, item["task"])
        and query.get("license") in (None, item["license"])
        and ("accelerator" not in query or any(recipe["accelerator"] == query["accelerator"] for recipe in recipes))
        and ("engine" not in query or any(recipe["engineType"] == query["engine"] for recipe in recipes))
        and query.get("search", "").lower() in item["repoId"].lower()
    )


async def _http_error(request: Request, failure: Exception) -> Response:
    del request
    assert isinstance(failure, HTTPException)
    return JSONResponse({"error": failure.detail}, failure.status_code, failure.headers)


async def _crash(request: Request, failure: Exception) -> Response:
    logger.error("%s %s", request.method, request.url.path, exc_info=failure)
    return error(500, "Internal Server Error")
