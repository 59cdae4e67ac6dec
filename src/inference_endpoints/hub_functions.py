"""The eight functions of huggingface_hub, written once for both kinds of handle.

Names, order and defaults of arguments: huggingface_hub 2.4.0, `HfApi`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES, query_all_namespaces
from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.client_pool import Api, api_for, client_of
from inference_endpoints.errors import Forbidden, InferenceEndpointError, Unauthorized
from inference_endpoints.hub_arguments import change_from, spec_from
from inference_endpoints.inference_endpoint import InferenceEndpointBase
from inference_endpoints.models import Endpoint, InferenceEndpointType
from inference_endpoints.models.settings.literals import (
    Accelerator,
    AccessType,
    EndpointTask,
    Framework,
    PrivateLinkRegion,
    ScalingMetric,
)
from inference_endpoints.transport.backend import Token

H = TypeVar("H", bound=InferenceEndpointBase)


class EndpointList(list[H]):
    """A list of endpoints. `refused` maps each namespace that refused to list its endpoints to its error.

    A member of an organization may have no right to its endpoints, so a refusal is not raised.

    >>> endpoints = list_inference_endpoints("*")
    >>> len(endpoints), endpoints.refused
    (2, {})
    """

    refused: Mapping[str, InferenceEndpointError]

    def __init__(
        self, endpoints: Iterable[H] = (), refused: Mapping[str, InferenceEndpointError] | None = None
    ) -> None:
        super().__init__(endpoints)
        self.refused = refused or {}

    def __repr__(self) -> str:
        refused = f" (refused: {', '.join(self.refused)})" if self.refused else ""
        return super().__repr__() + refused


class HubFunctions(Generic[H]):
    """The functions, for one kind of handle.

    All take `namespace` (default: the token's own), `token` (default: that of this machine; False for none) and `api`
    (default: a client of `default_backend`), and raise errors of `inference_endpoints.errors`.
    """

    def __init__(self, handle: type[H]) -> None:
        self._handle = handle

    async def get_inference_endpoint(
        self, name: str, *, namespace: str | None = None, token: Token = None, api: Api | None = None
    ) -> H:
        """Read an endpoint. Raises `NotFound`.

        >>> endpoint = await get_inference_endpoint("chat")
        >>> print(endpoint.status)
        running
        """
        client, namespace, api = await _resolve(namespace, token, api)
        return self._handle(await client.get(name, namespace), namespace, api)

    async def list_inference_endpoints(
        self, namespace: str | None = None, *, token: Token = None, api: Api | None = None
    ) -> EndpointList[H]:
        """Read all endpoints of a namespace, every page; "*" means all namespaces of the token.

        With "*", organizations that refuse the token (401, 403) are in the list's `refused`. Any other failure is
        raised, since an incomplete list would appear complete.

        >>> [endpoint.name for endpoint in await list_inference_endpoints()]
        ['broken', 'chat']
        """
        api = api_for(token, api)
        client = await client_of(api)
        if namespace != ALL_NAMESPACES:
            namespace = await client.resolve_namespace(namespace)
            return EndpointList(self._handles(await client.list(namespace), namespace, api))
        lists = await query_all_namespaces(client, client.list)
        for one, error in lists.errors.items():
            if one == lists.own or not isinstance(error, Unauthorized | Forbidden):
                raise error
        found = [handle for one, listed in lists.results.items() for handle in self._handles(listed, one, api)]
        return EndpointList(found, lists.errors)

    async def create_inference_endpoint(
        self,
        name: str,
        *,
        repository: str,
        framework: Framework,
        accelerator: Accelerator,
        instance_size: str,
        instance_type: str,
        region: str,
        vendor: str,
        account_id: str | None = None,
        private_link_account_id: str | None = None,
        private_link_region: PrivateLinkRegion | None = None,
        min_replica: int = 1,
        max_replica: int = 1,
        scaling_metric: ScalingMetric | None = None,
        scaling_threshold: float | None = None,
        scale_to_zero_timeout: int | None = None,
        revision: str | None = None,
        task: EndpointTask | None = None,
        custom_image: dict[str, Any] | None = None,
        container_registry_username: str | None = None,
        container_registry_password: str | None = None,
        container_command: list[str] | None = None,
        container_args: list[str] | None = None,
        env: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
        type: InferenceEndpointType | AccessType = "authenticated",  # noqa: A002 - huggingface_hub's name
        domain: str | None = None,
        path: str | None = None,
        cache_http_responses: bool | None = None,
        tags: list[str] | None = None,
        namespace: str | None = None,
        token: Token = None,
        api: Api | None = None,
    ) -> H:
        """Create an endpoint; it is billed from then on. Returns once the service accepts it: then `wait()`.

        The defaults are huggingface_hub's: one replica is kept running. `scale_to_zero_timeout` is in minutes and needs
        `min_replica=0`; `scaling_metric` is hardwareUsage (`scaling_threshold` in percent) or pendingRequests (per
        replica); `type` is public, authenticated or private. `custom_image` is an engine with its settings
        (`{"vLLM": {"url": …}}`), or a container's settings (`{"url": …, "port": …}`), to which alone the registry's
        credentials belong. `account_id` is ignored with a `FutureWarning`.

        Raises `BadRequest` (also a `ValueError`), `AlreadyExists` for a taken name, `QuotaExceeded`, `NoCapacity`.

        >>> endpoint = await create_inference_endpoint(
        ...     "small", repository="org/small-1B", framework="pytorch", task="text-generation", vendor="aws",
        ...     region="us-east-1", accelerator="gpu", instance_type="nvidia-l4", instance_size="x1", min_replica=0)
        >>> print(endpoint.status)
        pending
        """
        spec = spec_from(_without(locals(), "self", "namespace", "token", "api"))
        client, namespace, api = await _resolve(namespace, token, api)
        return self._handle(await client.create(spec, namespace), namespace, api)

    async def update_inference_endpoint(
        self,
        name: str,
        *,
        accelerator: Accelerator | None = None,
        instance_size: str | None = None,
        instance_type: str | None = None,
        min_replica: int | None = None,
        max_replica: int | None = None,
        scale_to_zero_timeout: int | None = None,
        scaling_metric: ScalingMetric | None = None,
        scaling_threshold: float | None = None,
        repository: str | None = None,
        framework: Framework | None = None,
        revision: str | None = None,
        task: EndpointTask | None = None,
        custom_image: dict[str, Any] | None = None,
        container_command: list[str] | None = None,
        container_args: list[str] | None = None,
        tensor_parallel_size: int | None = None,
        data_parallel_size: int | None = None,
        env: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
        domain: str | None = None,
        path: str | None = None,
        cache_http_responses: bool | None = None,
        tags: list[str] | None = None,
        vendor: str | None = None,
        region: str | None = None,
        namespace: str | None = None,
        token: Token = None,
        api: Api | None = None,
    ) -> H:
        """Change the settings of an endpoint that are given, and no others; an image is replaced whole.

        `scale_to_zero_timeout` is in minutes and needs `min_replica` 0. `tensor_parallel_size` and
        `data_parallel_size` are set in `custom_image`, or in the endpoint's current image. `vendor` and `region`, which
        are not huggingface_hub's, move the endpoint: its replicas are replaced there, and its URL may change.

        Raises `BadRequest`, which is a `ValueError`, if no setting is given, and for a parallelism that the image's
        engine has no setting for (huggingface_hub sends it, and the service ignores it). Nothing is sent then.

        >>> endpoint = await update_inference_endpoint("chat", min_replica=0, scale_to_zero_timeout=30)
        >>> endpoint.raw["compute"]["scaling"]["scaleToZeroTimeout"]
        30
        """
        given = _without(locals(), "self", "name", "namespace", "token", "api")
        api = api_for(token, api)
        client = await client_of(api)
        change = await change_from(given, lambda: client.get(name, namespace))
        namespace = await client.resolve_namespace(namespace)
        return self._handle(await client.update(name, change, namespace), namespace, api)

    async def delete_inference_endpoint(
        self, name: str, *, namespace: str | None = None, token: Token = None, api: Api | None = None
    ) -> None:
        """Delete an endpoint, which cannot be undone. Raises `NotFound`.

        >>> await delete_inference_endpoint("chat")
        """
        client = await client_of(api_for(token, api))
        await client.delete(name, namespace)

    async def pause_inference_endpoint(
        self, name: str, *, namespace: str | None = None, token: Token = None, api: Api | None = None
    ) -> H:
        """Stop an endpoint and its billing, until it is resumed.

        >>> endpoint = await pause_inference_endpoint("chat")
        >>> print(endpoint.status)
        paused
        """
        client, namespace, api = await _resolve(namespace, token, api)
        return self._handle(await client.pause(name, namespace), namespace, api)

    async def resume_inference_endpoint(
        self,
        name: str,
        *,
        namespace: str | None = None,
        running_ok: bool = True,
        token: Token = None,
        api: Api | None = None,
    ) -> H:
        """Start an endpoint after a pause. Raises `AlreadyRunning` for one that runs, but only if not `running_ok`.

        >>> endpoint = await resume_inference_endpoint("chat")
        >>> print(endpoint.status)
        running
        """
        client, namespace, api = await _resolve(namespace, token, api)
        return self._handle(await client.resume(name, namespace, running_ok=running_ok), namespace, api)

    async def scale_to_zero_inference_endpoint(
        self, name: str, *, namespace: str | None = None, token: Token = None, api: Api | None = None
    ) -> H:
        """Stop an endpoint and its billing, until it is called.

        >>> endpoint = await scale_to_zero_inference_endpoint("chat")
        >>> print(endpoint.status)
        scaledToZero
        """
        client, namespace, api = await _resolve(namespace, token, api)
        return self._handle(await client.scale_to_zero(name, namespace), namespace, api)

    def _handles(self, endpoints: Iterable[Endpoint], namespace: str, api: Api) -> list[H]:
        return [self._handle(endpoint, namespace, api) for endpoint in endpoints]


def _without(arguments: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}


async def _resolve(namespace: str | None, token: Token, api: Api | None) -> tuple[AsyncEndpointsClient, str, Api]:
    api = api_for(token, api)
    client = await client_of(api)
    return client, await client.resolve_namespace(namespace), api
