"""The client of a control plane: one short method per operation."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

from inference_endpoints.clients.model_client import ModelClient
from inference_endpoints.clients.monitoring_client import MonitoringClient
from inference_endpoints.clients.seen_endpoints import SeenEndpoints
from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, differences
from inference_endpoints.errors import (
    AlreadyExists,
    AlreadyRunning,
    InferenceEndpointError,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)
from inference_endpoints.logs.log_client import LogClient
from inference_endpoints.models import (
    CreateRequest,
    Endpoint,
    HardwareListing,
    QuotaListing,
    RequestPart,
    UpdateRequest,
    WhoAmI,
)
from inference_endpoints.models.endpoint import EndpointPage
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import Backend, default_backend
from inference_endpoints.transport.guard import Guard
from inference_endpoints.transport.http import HttpTransport, Reconnect

PAGE_SIZE = 100
MAX_PAGES = 1_000
"""Pages of one list: more would fill the memory, and no namespace has as many."""


class AsyncEndpointsClient(MonitoringClient, LogClient, ModelClient):
    """Every operation on endpoints, asynchronous and typed.

    `backend` is the control plane, by default that of `default_backend`. `namespace` is used where a call names none,
    and None means the token's own. `guard` may refuse requests; `reconnect` finds the control plane again if nothing
    answers at its address. A client belongs to the event loop it is used in. All methods raise errors of
    `inference_endpoints.errors`.

    >>> async with AsyncEndpointsClient() as client:
    ...     print(*(endpoint.name for endpoint in await client.list()))
    broken chat
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
        self.seen = SeenEndpoints()
        self._own_namespace: str | None = None
        self._identifying = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend.control_plane!r}, namespace={self.namespace!r})"

    @property
    def backend(self) -> Backend:
        """The control plane, with its token."""
        return self.http.backend

    async def whoami(self) -> WhoAmI:
        """Who the token belongs to, and the namespaces it may act for.

        >>> caller = await client.whoami()
        >>> print(caller.name, caller.namespaces)
        acme ['acme']
        """
        return await self._send(operations.WHOAMI)

    async def resolve_namespace(self, namespace: str | None = None) -> str:
        """The namespace of a call: the given one, else this client's, else the token's own.

        Sends `whoami` at most once, since the service limits how often it may be sent.

        >>> await client.resolve_namespace()
        'acme'
        """
        if named := namespace or self.namespace:
            return named
        async with self._identifying:
            if self._own_namespace is None:
                self._own_namespace = (await self.whoami()).name
        return self._own_namespace

    async def get(self, name: str, namespace: str | None = None) -> Endpoint:
        """Read an endpoint. Raises `NotFound`.

        >>> endpoint = await client.get("chat")
        >>> print(endpoint.state, endpoint.hardware_id)
        running aws-us-east-1-nvidia-l4-x1
        """
        return await self._send(operations.GET, namespace=await self.resolve_namespace(namespace), name=name)

    async def list(
        self,
        namespace: str | None = None,
        *,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        tasks: Sequence[str] = (),
        tags: Sequence[str] = (),
    ) -> Sequence[Endpoint]:
        """Read all endpoints of a namespace, every page, newest first; or those of these states, types and tasks, with
        these tags.

        >>> [endpoint.name for endpoint in await client.list()]
        ['broken', 'chat']
        >>> [endpoint.name for endpoint in await client.list(states=["failed"])]
        ['broken']
        """
        found = self.iterate(namespace, states=states, types=types, tasks=tasks, tags=tags)
        return [endpoint async for endpoint in found]

    async def iterate(
        self,
        namespace: str | None = None,
        *,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        tasks: Sequence[str] = (),
        tags: Sequence[str] = (),
    ) -> AsyncGenerator[Endpoint]:
        """Read the endpoints of a namespace; each page is requested when it is needed. The filters are those of `list`.

        >>> async for endpoint in client.iterate():
        ...     print(endpoint.name, endpoint.state)
        broken failed
        chat running
        """
        namespace = await self.resolve_namespace(namespace)
        wanted = {"state": states, "type": types, "task": tasks, "tags": tags}
        filters = {name: ",".join(values) for name, values in wanted.items() if values}
        cursor, seen = None, set[str]()
        for _ in range(MAX_PAGES):
            query = {"limit": PAGE_SIZE, "cursor": cursor, **filters}
            page = await self._send(operations.LIST, query=query, namespace=namespace)
            for endpoint in page.items:
                yield endpoint
            if not page.next_cursor:
                return
            cursor = page.next_cursor
            if cursor in seen:
                break
            seen.add(cursor)
        raise Unavailable(
            f"Could not list the endpoints of {namespace}: the service's pages have no end.", hint="Try again."
        )

    async def create(self, new: EndpointSpec | CreateRequest, namespace: str | None = None) -> Endpoint:
        """Create an endpoint; it is billed from then on. If the answer is lost, the endpoint is read instead of created
        twice.

        Raises `AlreadyExists` for a taken name, `QuotaExceeded`, `NoCapacity`, `BadRequest`.

        >>> hardware = Hardware(
        ...     vendor="aws", region="us-east-1", accelerator="gpu", instance_type="nvidia-l4", instance_size="x1"
        ... )
        >>> endpoint = await client.create(EndpointSpec(name="small", repository="org/small-1B", hardware=hardware))
        >>> print(endpoint.state, endpoint.type)
        pending private
        """
        request = new if isinstance(new, CreateRequest) else new.request()
        namespace = await self.resolve_namespace(namespace)
        try:
            return await self._send(operations.CREATE, body=request, namespace=namespace)
        except OutcomeUnknown as lost:
            try:
                there = await self.get(request.name, namespace)
            except InferenceEndpointError:
                raise lost from None
            if differences(there, request.without_secrets()):
                raise AlreadyExists(
                    f"An endpoint named {namespace}/{request.name} exists with other settings.",
                    hint="Choose another name, or update it.",
                ) from lost
            return there

    async def update(self, name: str, change: EndpointChange | UpdateRequest, namespace: str | None = None) -> Endpoint:
        """Change the settings of an endpoint that are set in `change`. Raises `NotFound`, `BadRequest`.

        >>> endpoint = await client.update("chat", EndpointChange(max_replica=2))
        >>> endpoint.compute.scaling.max_replica
        2
        """
        request = change if isinstance(change, UpdateRequest) else change.request()
        namespace = await self.resolve_namespace(namespace)
        return await self._send(operations.UPDATE, body=request, namespace=namespace, name=name)

    async def pause(self, name: str, namespace: str | None = None) -> Endpoint:
        """Stop an endpoint and its billing, until it is resumed.

        >>> endpoint = await client.pause("chat")
        >>> print(endpoint.state)
        paused
        """
        return await self._send(operations.PAUSE, namespace=await self.resolve_namespace(namespace), name=name)

    async def resume(self, name: str, namespace: str | None = None, *, running_ok: bool = True) -> Endpoint:
        """Start an endpoint after a pause. If it runs already, it is returned.

        With `running_ok=False` that raises `AlreadyRunning`, unless an earlier attempt of this call may have resumed
        it.

        >>> endpoint = await client.resume("chat")
        >>> print(endpoint.state)
        running
        """
        namespace = await self.resolve_namespace(namespace)
        try:
            return await self._send(operations.RESUME, namespace=namespace, name=name)
        except AlreadyRunning as error:
            if not running_ok and not error.after_lost_answer:
                raise
            return await self.get(name, namespace)

    async def scale_to_zero(self, name: str, namespace: str | None = None) -> Endpoint:
        """Stop an endpoint and its billing, until it is called.

        >>> endpoint = await client.scale_to_zero("chat")
        >>> print(endpoint.state)
        scaledToZero
        """
        return await self._send(operations.SCALE_TO_ZERO, namespace=await self.resolve_namespace(namespace), name=name)

    async def delete(self, name: str, namespace: str | None = None) -> None:
        """Delete an endpoint, which cannot be undone. If the answer is lost, the endpoint is read to see if it is gone.

        >>> await client.delete("chat")
        """
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

    async def hardware(self, namespace: str | None = None) -> HardwareListing:
        """List the hardware: vendors, regions and instances, with prices in USD per hour and the namespace's quota.

        >>> listing = await client.hardware()
        >>> for _, region, instance in listing.instances():
        ...     if instance.id == "aws-us-east-1-nvidia-l4-x1":
        ...         print(region.label, instance.price_per_hour)
        N. Virginia 0.8
        """
        return await self._send(operations.HARDWARE, namespace=await self.resolve_namespace(namespace))

    async def quotas(self, namespace: str | None = None) -> QuotaListing:
        """Read how many accelerators of each instance type the namespace may use, and uses.

        >>> quotas = await client.quotas()
        >>> [(vendor, quota.left) for vendor, quota in quotas.each() if quota.instance_type == "nvidia-l4"]
        [('aws', 14), ('gcp', 16)]
        """
        return await self._send(operations.QUOTAS, namespace=await self.resolve_namespace(namespace))

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones.

        >>> await client.aclose()
        """
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(
        self,
        operation: "operations.Operation[operations.Result]",
        *,
        query: dict[str, Any] | None = None,
        body: RequestPart | None = None,
        **arguments: str,
    ) -> "operations.Result":
        namespace, name = arguments.get("namespace", ""), arguments.get("name", "")
        if operation is operations.DELETE:
            self.seen.forget(namespace, name)
        try:
            answer = await self.http.send(operation.build(query=query, body=body, **arguments), operation)
        except NotFound:
            self.seen.forget(namespace, name)
            raise
        if isinstance(answer, Endpoint | EndpointPage):
            for endpoint in answer.items if isinstance(answer, EndpointPage) else [answer]:
                self.seen.note(namespace, endpoint)
        return answer
