"""A client behind the policy of a server, as the server makes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import HardwareCache
from inference_endpoints.transport.backend import Backend
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.policy.send_guard import SendGuard
from inference_endpoints_mcp.replicas.process_state import ProcessState


@asynccontextmanager
async def guarded(
    backend: Backend, limits: Limits, audit: AuditTrail | None = None
) -> AsyncIterator[AsyncEndpointsClient]:
    async with AsyncEndpointsClient(backend, namespace="acme") as reader:
        guard = SendGuard(Policy(limits, audit), reader, HardwareCache(reader), ProcessState())
        async with AsyncEndpointsClient(backend, namespace="acme", guard=guard) as client:
            yield client
