"""Clients of one control plane, one for each event loop, and the choice of the client that a call uses."""

import asyncio
import weakref
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import lru_cache

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import Backend, Token, chosen_token, default_backend
from inference_endpoints.transport.guard import Guard
from inference_endpoints.transport.http import Reconnect


class ClientPool:
    """Clients of one control plane, each made on first use: connections belong to the event loop they are opened in.

    Each is closed when its pool is garbage, or with its loop: `asyncio.run` closes every asynchronous generator that
    was started in it.
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
        self.guard = guard
        self.reconnect = reconnect
        self._opened: dict[
            asyncio.AbstractEventLoop, tuple[AsyncEndpointsClient, AsyncGenerator[AsyncEndpointsClient]]
        ] = {}
        # The finalizer keeps the clients out of the pool's garbage, where a transport may be collected before it is
        # closed. Dropped one by one, their generators are closed by the event loops they belong to.
        weakref.finalize(self, self._opened.clear).atexit = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend.control_plane!r}, namespace={self.namespace!r})"

    async def _current(self) -> AsyncEndpointsClient:
        """The client of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._opened:
            for ended in [known for known in self._opened if known.is_closed()]:
                del self._opened[ended]
            client = AsyncEndpointsClient(
                self.backend, namespace=self.namespace, guard=self.guard, reconnect=self.reconnect
            )
            open_until_loop_ends = _open(client)
            await anext(open_until_loop_ends)
            self._opened[loop] = client, open_until_loop_ends
        return self._opened[loop][0]

    async def _close_current(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        if opened := self._opened.pop(asyncio.get_running_loop(), None):
            await opened[1].aclose()


async def _open(client: AsyncEndpointsClient) -> AsyncGenerator[AsyncEndpointsClient]:
    async with client:
        yield client


Api = AsyncEndpointsClient | ClientPool
"""What sends the requests of a handle or a function. A client belongs to one event loop, a pool to none."""


async def client_of(api: Api) -> AsyncEndpointsClient:
    """The client itself, or the pool's client of the running event loop."""
    if isinstance(api, AsyncEndpointsClient):
        return api
    return await api._current()  # noqa: SLF001 - not public, since EndpointsClient is a pool


def api_for(token: Token, api: Api | None = None) -> Api:
    """What sends the requests of a call with these arguments: `api`, by default a pool of `default_backend`.

    A token replaces that of `api`; namespace, guard and reconnect stay.
    """
    if api is None:
        return _shared_pool(default_backend(token))
    chosen = chosen_token(token, api.backend.token)
    if chosen == api.backend.token:
        return api
    pool = pool_of(api)
    backend = replace(pool.backend, token=chosen)
    return ClientPool(backend, namespace=pool.namespace, guard=pool.guard, reconnect=pool.reconnect)


def pool_of(api: Api) -> ClientPool:
    """A pool with the settings of a client: it works in any event loop, where a client belongs to one."""
    if isinstance(api, ClientPool):
        return api
    return ClientPool(api.backend, namespace=api.namespace, guard=api.http.guard, reconnect=api.http.reconnect)


@lru_cache(maxsize=64)
def _shared_pool(backend: Backend) -> ClientPool:
    return ClientPool(backend)
