"""The handlers of the REST API, one for each route of the contract.

Where the service's behaviour is not known, they do what surprises a client least.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from inference_endpoints_local import own_version
from inference_endpoints_local.api import documents
from inference_endpoints_local.api.endpoint_pages import page_of, search
from inference_endpoints_local.api.fault_responses import fault_response
from inference_endpoints_local.api.gateway import Gateway
from inference_endpoints_local.api.hub_handlers import HubHandlers
from inference_endpoints_local.api.middleware import http_error, internal_error, with_middleware
from inference_endpoints_local.api.network_handlers import network_handlers
from inference_endpoints_local.api.observability.handlers import ObservabilityHandlers
from inference_endpoints_local.api.observability.log_handlers import LogHandlers
from inference_endpoints_local.api.request_handling import Handler, authorized, read_body
from inference_endpoints_local.api.simulation_handlers import SimulationHandlers
from inference_endpoints_local.api.status_events import StatusEvents
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.models.model_files import ModelFolders, read_in_time
from inference_endpoints_local.models.recipes import DeploymentRecipe, RecipeCatalogue
from inference_endpoints_local.state.audit_event import Actor
from inference_endpoints_local.state.faults import Fault, Faults
from inference_endpoints_local.state.store import Store
from inference_endpoints_local.wire import openapi, queries, responses, routes
from inference_endpoints_local.wire.parsing import parse_as
from inference_endpoints_local.wire.queries import parse_query
from inference_endpoints_local.wire.requests import DeployModelBody, DeployRecipeBody
from inference_endpoints_local.wire.routes import RouteContract


class ApiHandlers:
    """One handler per route. Each returns a JSON value, or a response of its own."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        executor: Executor,
        store: Store,
        faults: Faults,
        *,
        token: Callable[[], str],
        url: Callable[[], str],
        folders: ModelFolders,
        simulation: SimulationHandlers | None,
    ) -> None:
        self._lifecycle = lifecycle
        self._store = store
        self._faults = faults
        self._recipes = RecipeCatalogue(lifecycle.instances, folders)
        self._token = token
        self._url = url
        self._simulation = simulation
        self.events = StatusEvents(executor, self._document)

    def routes(self) -> list[BaseRoute]:
        served: list[tuple[RouteContract, Handler]] = [
            (routes.LIST, self._list),
            (routes.SEARCH, self._search),
            (routes.CREATE, self._create),
            (routes.GET, self._get),
            (routes.UPDATE, self._update),
            (routes.DELETE, self._delete),
            (routes.PAUSE, self._pause),
            (routes.RESUME, self._resume),
            (routes.SCALE_TO_ZERO, self._scale_to_zero),
            *LogHandlers(self._lifecycle).handlers(),
            *ObservabilityHandlers(self._lifecycle, self._store, self._url).handlers(),
            *network_handlers(),
            (routes.EVENTS, self._events),
            (routes.HARDWARE, self._hardware),
            (routes.QUOTAS, self._quotas),
            (routes.WHOAMI, self._whoami),
            *HubHandlers(self._lifecycle.instances.simulated).handlers(),
            (routes.CATALOGUE, self._catalogue),
            (routes.SUGGESTION, self._suggestion),
            (routes.DEPLOY_MODEL, self._deploy_model),
            (routes.DEPLOY_RECIPE, self._deploy_recipe),
        ]
        public: list[tuple[RouteContract, Handler]] = [
            (routes.PUBLIC_HARDWARE, self._public_hardware),
            (routes.HEALTH, self._health),
            (routes.OPENAPI, self._openapi),
        ]
        return [
            *(Route(route.path, self._route(route, handler), methods=[route.method]) for route, handler in served),
            *(Route(route.path, handler, methods=[route.method]) for route, handler in public),
            *(
                Route(route.path, authorized(handler, self._token), methods=[route.method])
                for route, handler in (self._simulation.handlers() if self._simulation else ())
            ),
        ]

    def _route(self, route: RouteContract, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Any:
            self._check_namespace(request.path_params.get("namespace"))
            fault = self._faults.take(route.name)
            if fault is not None and fault is not Fault.DROP_ANSWER:
                return fault_response(fault)
            result = await handler(request)
            return fault_response(fault) if fault else result

        return authorized(handle, self._token)

    def _check_namespace(self, namespace: str | None) -> None:
        if namespace not in (None, self._lifecycle.namespace):
            # 404 rather than 403: the plane has one user and no permissions to grant.
            served = self._lifecycle.namespace
            raise RequestRefused(
                404, f"Not Found: there is no namespace {namespace}; this control plane serves {served}"
            )

    async def _list(self, request: Request) -> responses.EndpointsDocument:
        query = parse_query(request, queries.EndpointsQuery)
        page = page_of(self._lifecycle.endpoints(), query)
        return {
            "items": [self._document(endpoint) for endpoint in page.endpoints],
            "nextCursor": page.next_cursor,
            "prevCursor": page.prev_cursor,
            "totalItems": page.total,
        }

    async def _search(self, request: Request) -> responses.EndpointNamesDocument:
        query = parse_query(request, queries.SearchQuery)
        found = search(self._lifecycle.endpoints(), query)[: query.limit]
        return {"items": [{"name": endpoint.record.name} for endpoint in found]}

    async def _create(self, request: Request) -> responses.EndpointDocument:
        return self._document(await self._lifecycle.create(await read_body(request), self._actor(request)))

    async def _get(self, request: Request) -> responses.EndpointDocument:
        return self._document(self._endpoint(request))

    async def _update(self, request: Request) -> responses.EndpointDocument:
        body = await read_body(request)
        name = request.path_params["name"]
        return self._document(await self._lifecycle.update(name, body, self._actor(request)))

    async def _delete(self, request: Request) -> responses.EmptyDocument:
        self._lifecycle.delete(self._endpoint(request), self._actor(request))
        return {}

    async def _pause(self, request: Request) -> responses.EndpointDocument:
        return self._document(self._lifecycle.pause(self._endpoint(request), self._actor(request)))

    async def _resume(self, request: Request) -> responses.EndpointDocument:
        return self._document(self._lifecycle.resume(self._endpoint(request), self._actor(request)))

    async def _scale_to_zero(self, request: Request) -> responses.EndpointDocument:
        return self._document(self._lifecycle.scale_to_zero(self._endpoint(request), self._actor(request)))

    async def _events(self, request: Request) -> Response:
        if self.events.is_full:
            raise RequestRefused(
                503, "Service Unavailable: too many streams of events are open; poll the endpoint instead"
            )
        return self.events.stream(self._endpoint(request))

    async def _hardware(self, _: Request) -> Any:
        return self._lifecycle.instances.document(self._lifecycle.quota_usage())

    async def _quotas(self, _: Request) -> responses.QuotaListingDocument:
        return self._lifecycle.instances.quotas(self._lifecycle.quota_usage())

    async def _whoami(self, _: Request) -> responses.WhoAmIDocument:
        return documents.whoami_document(self._lifecycle.namespace, can_pay=self._lifecycle.payment_method)

    async def _catalogue(self, request: Request) -> Any:
        query = parse_query(request, queries.CatalogueQuery)
        return {"items": [item for item in self._recipes.items() if _matches(item, query)][: query.limit]}

    async def _suggestion(self, request: Request) -> responses.SuggestionDocument:
        repository = parse_query(request, queries.SuggestionQuery).model_id
        try:
            suggestion = await read_in_time(self._recipes.suggestion, repository)
        except TimeoutError:
            suggestion = None
        if suggestion is None:
            raise RequestRefused(404, "Not Found: there is no suggestion for this model")
        return suggestion

    async def _deploy_model(self, request: Request) -> responses.DeployedDocument:
        body = parse_as(DeployModelBody, await read_body(request))
        repository = "{owner}/{model}".format(**request.path_params)
        return await self._deploy(request, body, self._recipes.for_model(repository, body.accelerator, body.gguf_file))

    async def _deploy_recipe(self, request: Request) -> responses.DeployedDocument:
        body = parse_as(DeployRecipeBody, await read_body(request))
        return await self._deploy(request, body, self._recipes.by_id(request.path_params["recipe"]))

    async def _deploy(
        self, request: Request, body: DeployRecipeBody, recipe: DeploymentRecipe | None
    ) -> responses.DeployedDocument:
        self._check_namespace(body.namespace)
        if recipe is None:
            raise RequestRefused(404, "Not Found: the catalogue has no such model or recipe")
        name = (body.config and body.config.name) or recipe.new_name()
        created = await self._lifecycle.create(recipe.create_body(name), self._actor(request))
        return {"endpoint": self._document(created)}

    async def _public_hardware(self, _: Request) -> Response:
        return JSONResponse(self._lifecycle.instances.document(used=None))

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(openapi.document(own_version(), self._lifecycle.instances.simulated))

    def _actor(self, request: Request) -> Actor:
        """The caller: the token has one user."""
        address = request.client.host if request.client else ""
        return Actor(self._lifecycle.namespace, address, request.state.request_id)

    def _endpoint(self, request: Request) -> ManagedEndpoint:
        return self._lifecycle.find(request.path_params["name"])

    def _document(self, endpoint: ManagedEndpoint) -> responses.EndpointDocument:
        return documents.endpoint_document(endpoint, self._url())


def all_routes(api: ApiHandlers, gateway: Gateway) -> list[BaseRoute]:
    """Control plane and data plane, on one origin."""
    return [*api.routes(), Route("/e/{id}", gateway), Route("/e/{id}/{path:path}", gateway)]


def build_app(routes: list[BaseRoute]) -> ASGIApp:
    """The application that serves these routes."""
    failures = {HTTPException: http_error, Exception: internal_error}
    return with_middleware(Starlette(routes=routes, exception_handlers=failures))


def _matches(item: responses.CatalogueModelDocument, query: queries.CatalogueQuery) -> bool:
    recipes = item["recipes"]
    return (
        query.task in (None, item["task"])
        and query.license in (None, item["license"])
        and any(query.accelerator in (None, recipe["accelerator"]) for recipe in recipes)
        and any(query.engine in (None, recipe["engineType"]) for recipe in recipes)
        and query.search.lower() in item["repoId"].lower()
    )
