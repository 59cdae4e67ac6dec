"""The handlers for private networking, address lists and domains: those of an account that has none of them."""

from typing import Any

from starlette.requests import Request

from inference_endpoints_local.api.request_handling import Handler
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.wire import responses, routes
from inference_endpoints_local.wire.routes import RouteContract


def network_handlers() -> list[tuple[RouteContract, Handler]]:
    return [
        *((route, _list) for route in routes.NETWORK_LISTS),
        *((route, _create) for route in routes.NETWORK_CREATIONS),
        *((route, _change) for route in routes.NETWORK_CHANGES),
    ]


async def _list(request: Request) -> responses.NoItemsDocument:
    del request
    return {"items": []}


async def _create(request: Request) -> Any:
    del request
    raise RequestRefused(403, "Forbidden: this control plane has no network of its own to configure")


async def _change(request: Request) -> Any:
    del request
    raise RequestRefused(404, "Not Found")
