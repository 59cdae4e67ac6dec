"""Clients of one control plane, one for each event loop, and which of them a call works with."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import lru_cache

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import Backend, Token, chosen_token, default_backend
from inference_endpoints.transport.guard import Guard
from inference_endpoints.transport.http import Reconnect


class ClientPool:
    """Clients of one control plane, made as they are needed: connections belong to the event loop they are made in.

    Each is closed with its loop: `asyncio.run` and its like close every asynchronous generator begun in it.
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
        self.backend = backend or default_backend()
        self.namespace = namespace
        self._guard = guard
        self._reconnect = reconnect
        self._made: dict[
            asyncio.AbstractEventLoop, tuple[AsyncEndpointsClient, AsyncGenerator[AsyncEndpointsClient]]
        ] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend.control_plane!r}, namespace={self.namespace!r})"

    async def current(self) -> AsyncEndpointsClient:
        """The asynchronous client of the running event loop.

        >>> await EndpointsClient().current()
        AsyncEndpointsClient(..., namespace=None)
        """
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._made = {known: made for known, made in self._made.items() if not known.is_closed()}
            client = AsyncEndpointsClient(
                self.backend, namespace=self.namespace, guard=self._guard, reconnect=self._reconnect
            )
            open_until_the_end = _open(client)
            await anext(open_until_the_end)
            self._made[loop] = client, open_until_the_end
        return self._made[loop][0]

    async def close_current(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones.

        >>> await EndpointsClient().close_current()
        """
        if made := self._made.pop(asyncio.get_running_loop(), None):
            await made[1].aclose()

    def with_token(self, token: str | None) -> "ClientPool":
        """The same control plane under the same guard, with another token.

        >>> EndpointsClient().with_token("hf_another").backend.token
        'hf_another'
        """
        backend = replace(self.backend, token=token)
        return ClientPool(backend, namespace=self.namespace, guard=self._guard, reconnect=self._reconnect)


async def _open(client: AsyncEndpointsClient) -> AsyncGenerator[AsyncEndpointsClient]:
    async with client:
        yield client


Api = AsyncEndpointsClient | ClientPool
"""What a handle works with. A client belongs to the event loop it was first used in, a pool to none."""


async def client_of(api: Api) -> AsyncEndpointsClient:
    return api if isinstance(api, AsyncEndpointsClient) else await api.current()


def api_for(token: Token, api: Api | None = None) -> Api:
    """What a call with these arguments works with: `api`, or else the control plane that is meant by default.

    A token given beside `api` replaces its own; the guard stays.
    """
    if api is None:
        return _shared_pool(default_backend(token))
    wanted = chosen_token(token, api.backend.token)
    if wanted == api.backend.token:
        return api
    return pool_of(api).with_token(wanted)


def pool_of(api: Api) -> ClientPool:
    """The same, usable from any event loop."""
    return (
        api if isinstance(api, ClientPool) else ClientPool(api.backend, namespace=api.namespace, guard=api.http.guard)
    )


@lru_cache(maxsize=64)
def _shared_pool(backend: Backend) -> ClientPool:
    return ClientPool(backend)
