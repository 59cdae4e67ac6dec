"""The client of a control plane: one short method per operation."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, differences
from inference_endpoints.errors import AlreadyExists, AlreadyRunning, InferenceEndpointError, NotFound, OutcomeUnknown
from inference_endpoints.models import (
    AllGraphs,
    AuditLogs,
    CatalogueModel,
    Endpoint,
    LogEntry,
    ModelInfo,
    Replica,
    Suggestion,
    VendorQuotas,
    Vendors,
    WhoAmI,
)
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import Backend, default_backend
from inference_endpoints.transport.guard import EndpointCall, Guard
from inference_endpoints.transport.http import HttpTransport, Reconnect

PAGE_SIZE = 100


class AsyncEndpointsClient:
    """Every operation on endpoints, asynchronous and typed.

    `backend` is the control plane, by default that of `default_backend`. `namespace` is used where a call names none,
    and None means the token's own. All methods raise errors of `inference_endpoints.errors`.
    """

    namespace: str | None

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        namespace: str | None = None,
        guard: Guard | None = None,
        reconnect: Reconnect | None = None,
    ) -> None:
        self.http = HttpTransport(backend or default_backend(), guard=guard, reconnect=reconnect)
        self.namespace = namespace
        self._own_namespace: str | None = None
        self._identifying = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend.control_plane!r}, namespace={self.namespace!r})"

    @property
    def backend(self) -> Backend:
        return self.http.backend

    async def whoami(self) -> WhoAmI:
        return await self._send(operations.WHOAMI)

    async def resolve_namespace(self, namespace: str | None = None) -> str:
        """The namespace of a call: the given one, else this client's, else the token's own.

        Sends `whoami` at most once, since the service limits how often it may be sent.
        """
        if named := namespace or self.namespace:
            return named
        async with self._identifying:
            if self._own_namespace is None:
                self._own_namespace = (await self.whoami()).name
        return self._own_namespace

    async def get(self, name: str, namespace: str | None = None) -> Endpoint:
        return await self._send(operations.GET, namespace=await self.resolve_namespace(namespace), name=name)

    async def list(self, namespace: str | None = None) -> Sequence[Endpoint]:
        """All endpoints of a namespace, every page of them."""
        return [endpoint async for endpoint in self.iterate(namespace)]

    async def iterate(self, namespace: str | None = None) -> AsyncGenerator[Endpoint]:
        """The endpoints of a namespace, page by page as they are needed."""
        namespace = await self.resolve_namespace(namespace)
        cursor: str | None = None
        while True:
            query = {"limit": PAGE_SIZE, "cursor": cursor}
            page = await self._send(operations.LIST, query=query, namespace=namespace)
            for endpoint in page.items:
                yield endpoint
            if not page.next_cursor or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    async def create(self, spec: EndpointSpec, namespace: str | None = None) -> Endpoint:
        """Create an endpoint. If the answer is lost, looks whether it exists rather than asking twice.

        Raises `AlreadyExists` for a taken name, `QuotaExceeded`, `NoCapacity`, `BadRequest`.
        """
        return await self.create_from(spec.payload(), namespace)

    async def create_from(self, payload: dict[str, Any], namespace: str | None = None) -> Endpoint:
        """Create an endpoint from the body of a create request, as a plan shows it."""
        namespace = await self.resolve_namespace(namespace)
        try:
            return await self._send(operations.CREATE, body=payload, namespace=namespace)
        except OutcomeUnknown as lost:
            try:
                there = await self.get(payload["name"], namespace)
            except InferenceEndpointError:
                raise lost from None
            model = {key: value for key, value in payload["model"].items() if key != "secrets"}
            if differences(there, {**payload, "model": model}):
                raise AlreadyExists(
                    f"An endpoint named {namespace}/{payload['name']} exists with other settings.",
                    hint="Choose another name, or update it.",
                ) from lost
            return there

    async def update(self, name: str, change: EndpointChange, namespace: str | None = None) -> Endpoint:
        return await self.update_from(name, change.payload(), namespace)

    async def update_from(self, name: str, payload: dict[str, Any], namespace: str | None = None) -> Endpoint:
        """Update an endpoint from the body of an update request, as a plan shows it."""
        namespace = await self.resolve_namespace(namespace)
        return await self._send(operations.UPDATE, body=payload, namespace=namespace, name=name)

    async def pause(self, name: str, namespace: str | None = None) -> Endpoint:
        return await self._send(operations.PAUSE, namespace=await self.resolve_namespace(namespace), name=name)

    async def resume(self, name: str, namespace: str | None = None, *, running_ok: bool = True) -> Endpoint:
        """Resume an endpoint. One that is running already is an `AlreadyRunning` only if not `running_ok`, and only
        if no earlier attempt of this call may have resumed it."""
        namespace = await self.resolve_namespace(namespace)
        try:
            return await self._send(operations.RESUME, namespace=namespace, name=name)
        except AlreadyRunning as error:
            if not running_ok and not error.after_lost_answer:
                raise
            return await self.get(name, namespace)

    async def scale_to_zero(self, name: str, namespace: str | None = None) -> Endpoint:
        return await self._send(operations.SCALE_TO_ZERO, namespace=await self.resolve_namespace(namespace), name=name)

    async def delete(self, name: str, namespace: str | None = None) -> None:
        """Delete an endpoint. If the answer is lost, looks whether it is gone."""
        namespace = await self.resolve_namespace(namespace)
        try:
            await self._send(operations.DELETE, namespace=namespace, name=name)
        except OutcomeUnknown as lost:
            try:
                await self.get(name, namespace)
            except NotFound:
                return
            except InferenceEndpointError:
                pass
            raise lost from None

    async def logs(
        self, name: str, namespace: str | None = None, *, tail: int | None = None, replica: str | None = None
    ) -> Sequence[LogEntry]:
        """The newest `tail` lines of the replicas' output, oldest first."""
        namespace = await self.resolve_namespace(namespace)
        query = {"tail": tail, "replica": replica}
        return await self._send(operations.LOGS, query=query, namespace=namespace, name=name)

    async def replicas(self, name: str, namespace: str | None = None) -> Sequence[Replica]:
        answer = await self._send(operations.REPLICAS, namespace=await self.resolve_namespace(namespace), name=name)
        return answer.items

    async def metrics(
        self, name: str, namespace: str | None = None, *, start: datetime, stop: datetime | None = None
    ) -> AllGraphs:
        """Every graph of an endpoint between two moments, which need a time zone; by default until now."""
        namespace = await self.resolve_namespace(namespace)
        span = (start, stop or datetime.now(UTC))
        first, last = (one.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") for one in span)
        body = {"start": first, "stop": last}
        return await self._send(operations.METRICS, body=body, namespace=namespace, name=name)

    async def audit_logs(
        self,
        namespace: str | None = None,
        *,
        endpoint: str | None = None,
        username: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> AuditLogs:
        """What happened to the endpoints of a namespace, newest first, page by page. The service wants a paid plan."""
        query = {"endpoint": endpoint, "username": username, "cursor": cursor, "limit": limit}
        return await self._send(operations.AUDIT_LOGS, query=query, namespace=await self.resolve_namespace(namespace))

    async def events(self, name: str, namespace: str | None = None) -> AsyncGenerator[None]:
        """An item whenever the status of an endpoint may have changed; `get` tells to what.

        What events carry is not documented, so nothing is read from them. Ends when the service ends the stream, and
        raises where it has none, breaks it off or falls silent: whoever must not miss a change looks now and then as
        well, as `Watcher` does. Close it (`contextlib.aclosing`) when leaving it early.
        """
        request = operations.EVENTS.build(namespace=await self.resolve_namespace(namespace), name=name)
        async with self.http.stream_events(request) as events:
            async for _ in events:
                yield

    async def hardware(self, namespace: str | None = None) -> Vendors:
        """Vendors, regions and instances, with prices and what the namespace's quota leaves."""
        return await self._send(operations.VENDORS, namespace=await self.resolve_namespace(namespace))

    async def quotas(self, namespace: str | None = None) -> VendorQuotas:
        """How much of each instance type the namespace may use, and uses."""
        return await self._send(operations.QUOTAS, namespace=await self.resolve_namespace(namespace))

    async def model(self, repository: str) -> ModelInfo:
        """What the Hub tells of a model, `owner/model`."""
        owner, _, model = repository.partition("/")
        return await self._send(operations.MODEL, owner=owner, model=model)

    async def catalogue(
        self, *, search: str | None = None, task: str | None = None, limit: int | None = None
    ) -> Sequence[CatalogueModel]:
        """Models known to deploy."""
        query = {"search": search, "task": task, "limit": limit}
        return (await self._send(operations.CATALOGUE, query=query)).items

    async def suggestion(self, repository: str) -> Suggestion:
        """What the service suggests to deploy a model with. Raises `NotFound` if it suggests nothing."""
        return await self._send(operations.SUGGESTION, query={"model_id": repository})

    async def is_healthy(self, endpoint: Endpoint, namespace: str, *, deadline: float = 5.0) -> bool:
        """Whether a running endpoint's health route answers 200 within `deadline` seconds."""
        return await self.health_status(endpoint, namespace, deadline=deadline) == 200

    async def health_status(self, endpoint: Endpoint, namespace: str, *, deadline: float = 5.0) -> int:
        """The HTTP status a running endpoint's health route answers with, within `deadline` seconds."""
        route = "/" + (endpoint.health_route or "/health").lstrip("/")
        call = EndpointCall(endpoint, namespace, route, "GET", timeout=deadline)
        async with self.http.call_endpoint(call) as response:
            return int(response.status_code)

    async def aclose(self) -> None:
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(
        self,
        operation: "operations.Operation[operations.Answer]",
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        **arguments: str,
    ) -> "operations.Answer":
        return await self.http.send(operation.build(query=query, body=body, **arguments), operation)
