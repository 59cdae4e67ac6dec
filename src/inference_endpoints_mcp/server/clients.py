"""The clients and the watcher behind the server. The first call imports this module: the handshake does not need it."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import HardwareCache
from inference_endpoints.clients.hub_reader import HubReader
from inference_endpoints.diagnosis.start_times import StartHistory
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.effect import Effect
from inference_endpoints.watching.observation_source import ObservationSource
from inference_endpoints.watching.watcher import Watcher
from inference_endpoints_mcp.policy.connection_shares import ConnectionShares
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.policy.send_guard import SendGuard
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.replicas.shared_state import SharedState
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.observability.telemetry import MeasuredGuard


@dataclass(frozen=True)
class Clients:
    """What all calls of a server share."""

    endpoints: AsyncEndpointsClient
    watcher: Watcher
    inference: AsyncInference
    hardware_cache: HardwareCache
    hub: HubReader
    start_history: StartHistory
    guard: SendGuard


async def open_clients(
    options: ServerOptions,
    policy: Policy,
    redactor: Redactor,
    stack: AsyncExitStack,
    shared: SharedState,
    sealing_keys: Callable[[], tuple[bytes, ...]],
) -> Clients:
    """Connect to the backend. What is opened closes with the stack. `sealing_keys` gives those of now."""
    backend = await options.open_backend(stack)
    redactor.add(backend.token)
    namespace, reconnect = options.namespace, _masking_token(options.reconnect, redactor)
    reader = AsyncEndpointsClient(
        backend,
        namespace=namespace,
        guard=MeasuredGuard(ConnectionShares(), options.telemetry),
        reconnect=reconnect,
    )
    hardware_cache = HardwareCache(reader)
    guard = SendGuard(policy, reader, hardware_cache, shared)
    measured = MeasuredGuard(guard, options.telemetry)
    client = AsyncEndpointsClient(backend, namespace=namespace, guard=measured, reconnect=reconnect)
    for each in (reader, client):
        stack.push_async_callback(each.aclose)

    def share(pollers: ObservationSource) -> ObservationSource:
        if shared.open_channel is None:
            return pollers
        from inference_endpoints_mcp.replicas.shared_observations import SharedObservations

        observations = SharedObservations(
            pollers,
            shared.open_channel,
            scope=lambda: (
                sealing_keys()[0],
                (
                    options.profile or "",
                    options.caller or "",
                    client.backend.control_plane,
                    client.backend.token or "",
                ),
            ),
            permit=partial(policy.check_effect, Effect.READS),
        )
        stack.push_async_callback(observations.aclose)
        return observations

    watcher = Watcher(client, poll_interval=options.poll_interval, wrap_source=share)
    stack.callback(options.telemetry.watch("polled_endpoints", lambda: len(watcher.polled)))
    cache = hardware_cache.for_client(client)
    return Clients(client, watcher, AsyncInference(client), cache, HubReader(client), StartHistory(client), guard)


def _masking_token(
    reconnect: Callable[[Backend], Awaitable[Backend]] | None, redactor: Redactor
) -> Callable[[Backend], Awaitable[Backend]] | None:
    """The same, and the token of the new connection is masked as well."""
    if reconnect is None:
        return None

    async def connect_again(lost: Backend) -> Backend:
        backend = await reconnect(lost)
        redactor.add(backend.token)
        return backend

    return connect_again
