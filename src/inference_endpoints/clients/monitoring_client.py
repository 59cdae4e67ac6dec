"""The client's methods for what an endpoint does: its health, replicas, metrics, events and history."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any

from inference_endpoints.models import AllGraphs, AuditLogs, Endpoint, MetricsRequest, Replica, RequestPart, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import HttpTransport


class MonitoringClient(ABC):
    """Reads what endpoints do."""

    http: HttpTransport

    @abstractmethod
    async def resolve_namespace(self, namespace: str | None = None) -> str: ...

    @abstractmethod
    async def _send(
        self,
        operation: "operations.Operation[operations.Result]",
        *,
        query: dict[str, Any] | None = None,
        body: RequestPart | None = None,
        **arguments: str,
    ) -> "operations.Result": ...

    async def debug(self, name: str, namespace: str | None = None) -> Endpoint:
        """Let the service diagnose an endpoint: `status.agent_message` of the result, which may quote strangers' text.

        >>> endpoint = await client.debug("broken")
        >>> print(endpoint.status.agent_message.splitlines()[0])
        The model does not fit into the accelerator's memory.
        """
        return await self._send(operations.DEBUG, namespace=await self.resolve_namespace(namespace), name=name)

    async def replicas(self, name: str, namespace: str | None = None) -> Sequence[Replica]:
        """Read the replicas that exist now, with their stages.

        >>> [replica.status.stage for replica in await client.replicas("chat")]
        ['running']
        """
        answer = await self._send(operations.REPLICAS, namespace=await self.resolve_namespace(namespace), name=name)
        return answer.items

    async def metrics(
        self,
        name: str,
        namespace: str | None = None,
        *,
        start: datetime | timedelta,
        stop: datetime | None = None,
        replica: str | None = None,
    ) -> AllGraphs:
        """Read every graph of an endpoint, or of one replica, between two moments, which need a time zone; by default
        until now. `start` may be the time before `stop`.

        >>> from datetime import timedelta
        >>> graphs = await client.metrics("chat", start=timedelta(hours=1))
        >>> len(graphs.replica_ids)
        1
        """
        namespace = await self.resolve_namespace(namespace)
        until = stop or self.http.clock.now()
        since = until - start if isinstance(start, timedelta) else start
        first, last = (rfc3339(moment, "milliseconds") for moment in (since, until))
        which = {"replica_id": replica} if replica else {}
        body = MetricsRequest(start=first, stop=last, **which)
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
        """Read a page of what happened to the endpoints of a namespace, newest first. `limit` is its number of entries.

        Raises `Forbidden` where the namespace has no paid plan.

        >>> page = await client.audit_logs(endpoint="chat", limit=1)
        >>> [(entry.action, entry.user.name) for entry in page.items]
        [('created', 'acme')]
        """
        query = {"endpoint": endpoint, "username": username, "cursor": cursor, "limit": limit}
        return await self._send(operations.AUDIT_LOGS, query=query, namespace=await self.resolve_namespace(namespace))

    async def events(self, name: str, namespace: str | None = None) -> AsyncGenerator[None]:
        """Yield None whenever the status of an endpoint may have changed; `get` reads the new one.

        The service does not document what its events carry, so nothing is read from them. The generator ends when the
        service ends the stream. It raises where the service has no stream, breaks it off or falls silent: to miss no
        change, poll as well, as `Watcher` does. Close it (`contextlib.aclosing`) when leaving it early.

        >>> async for _ in client.events("chat"):
        ...     endpoint = await client.get("chat")
        ...     break
        """
        request = operations.EVENTS.build(namespace=await self.resolve_namespace(namespace), name=name)
        async with self.http.stream_events(request) as events:
            async for _ in events:
                yield

    async def is_healthy(self, endpoint: Endpoint, namespace: str, *, deadline: float = 5.0) -> bool:
        """Whether a running endpoint's health route answers 200 within `deadline` seconds.

        >>> await client.is_healthy(await client.get("chat"), "acme")
        True
        """
        return await self.health_status(endpoint, namespace, deadline=deadline) == 200

    async def health_status(self, endpoint: Endpoint, namespace: str, *, deadline: float = 5.0) -> int:
        """The HTTP status of a running endpoint's health route. Raises `InferenceEndpointTimeoutError` after `deadline`
        seconds.

        >>> await client.health_status(await client.get("chat"), "acme")
        200
        """
        route = "/" + (endpoint.health_route or "/health").lstrip("/")
        call = EndpointCall(endpoint, namespace, route, "GET", timeout=deadline)
        async with self.http.call_endpoint(call) as response:
            return int(response.status_code)
