"""The blocking twins: the client, the handle and the eight functions of huggingface_hub."""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from inference_endpoints.blocking import blocking
from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.client_pool import ClientPool
from inference_endpoints.hub_functions import HubFunctions
from inference_endpoints.inference_endpoint import AsyncInferenceEndpoint, InferenceEndpointBase
from inference_endpoints.logs.line_filter import Severity
from inference_endpoints.models import Endpoint, LogEntry

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def _wraps(method: Callable[..., Any]) -> Callable[[F], F]:
    """`functools.wraps` for a method of the client, also for one that it inherits."""

    def named(wrapper: F) -> F:
        functools.update_wrapper(wrapper, method)
        wrapper.__qualname__ = f"{AsyncEndpointsClient.__name__}.{method.__name__}"
        return wrapper

    return named


def _of_client(
    method: Callable[Concatenate[AsyncEndpointsClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["EndpointsClient", P], R]:
    """The blocking client's method, made of the asynchronous client's."""

    @_wraps(method)
    async def call(self: "EndpointsClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await method(await self._current(), *args, **kwargs)

    return blocking(call)


class EndpointsClient(ClientPool):
    """Every operation on endpoints, blocking and typed: `AsyncEndpointsClient` without `await`.

    Any thread may use it, and every function and handle takes it as `api`. All methods raise errors of
    `inference_endpoints.errors`.

    >>> with EndpointsClient() as client:
    ...     print(*(endpoint.name for endpoint in client.list()))
    broken chat
    """

    whoami = _of_client(AsyncEndpointsClient.whoami)
    resolve_namespace = _of_client(AsyncEndpointsClient.resolve_namespace)
    get = _of_client(AsyncEndpointsClient.get)
    list = _of_client(AsyncEndpointsClient.list)
    create = _of_client(AsyncEndpointsClient.create)
    update = _of_client(AsyncEndpointsClient.update)
    pause = _of_client(AsyncEndpointsClient.pause)
    resume = _of_client(AsyncEndpointsClient.resume)
    scale_to_zero = _of_client(AsyncEndpointsClient.scale_to_zero)
    delete = _of_client(AsyncEndpointsClient.delete)
    logs = _of_client(AsyncEndpointsClient.logs)
    debug = _of_client(AsyncEndpointsClient.debug)
    replicas = _of_client(AsyncEndpointsClient.replicas)
    metrics = _of_client(AsyncEndpointsClient.metrics)
    audit_logs = _of_client(AsyncEndpointsClient.audit_logs)
    hardware = _of_client(AsyncEndpointsClient.hardware)
    quotas = _of_client(AsyncEndpointsClient.quotas)
    model = _of_client(AsyncEndpointsClient.model)
    model_config = _of_client(AsyncEndpointsClient.model_config)
    models = _of_client(AsyncEndpointsClient.models)
    catalogue = _of_client(AsyncEndpointsClient.catalogue)
    suggestion = _of_client(AsyncEndpointsClient.suggestion)
    is_healthy = _of_client(AsyncEndpointsClient.is_healthy)
    health_status = _of_client(AsyncEndpointsClient.health_status)

    @blocking
    @_wraps(AsyncEndpointsClient.iterate)
    async def iterate(self, namespace: str | None = None) -> AsyncIterator[Endpoint]:
        client = await self._current()
        async for endpoint in client.iterate(namespace):
            yield endpoint

    @blocking
    @_wraps(AsyncEndpointsClient.events)
    async def events(self, name: str, namespace: str | None = None) -> AsyncIterator[None]:
        async with aclosing((await self._current()).events(name, namespace)) as events:
            async for _ in events:
                yield

    @blocking
    @_wraps(AsyncEndpointsClient.follow_logs)
    async def follow_logs(
        self,
        name: str,
        namespace: str | None = None,
        *,
        tail: int = 10,
        replica: str | None = None,
        level: Severity | None = None,
        search: str = "",
    ) -> AsyncIterator[LogEntry]:
        client = await self._current()
        following = client.follow_logs(name, namespace, tail=tail, replica=replica, level=level, search=search)
        async with aclosing(following) as entries:
            async for entry in entries:
                yield entry

    @blocking
    async def close(self) -> None:
        """Close the connections of blocking calls; a later call opens new ones.

        >>> client.close()
        """
        await self._close_current()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class InferenceEndpoint(InferenceEndpointBase):
    """A handle on an endpoint. Its methods change this object in place, and return it.

    Attributes: `name`, `namespace`, `repository`, `status`, `url` (None until it has an address), `health_route`,
    `framework`, `revision`, `task`, `created_at`, `updated_at`, `type`, `raw` (the whole answer of the API), `token`.
    All methods raise errors of `inference_endpoints.errors`.

    >>> endpoint = get_inference_endpoint("chat")
    >>> print(endpoint.status, endpoint.task)
    running text-generation
    """

    fetch = blocking(AsyncInferenceEndpoint.fetch)
    update = blocking(AsyncInferenceEndpoint.update)
    pause = blocking(AsyncInferenceEndpoint.pause)
    resume = blocking(AsyncInferenceEndpoint.resume)
    scale_to_zero = blocking(AsyncInferenceEndpoint.scale_to_zero)
    delete = blocking(AsyncInferenceEndpoint.delete)
    wait = blocking(AsyncInferenceEndpoint.wait)
    watch = blocking(AsyncInferenceEndpoint.watch)


_functions = HubFunctions(InferenceEndpoint)

get_inference_endpoint = blocking(_functions.get_inference_endpoint)
list_inference_endpoints = blocking(_functions.list_inference_endpoints)
create_inference_endpoint = blocking(_functions.create_inference_endpoint)
update_inference_endpoint = blocking(_functions.update_inference_endpoint)
delete_inference_endpoint = blocking(_functions.delete_inference_endpoint)
pause_inference_endpoint = blocking(_functions.pause_inference_endpoint)
resume_inference_endpoint = blocking(_functions.resume_inference_endpoint)
scale_to_zero_inference_endpoint = blocking(_functions.scale_to_zero_inference_endpoint)
