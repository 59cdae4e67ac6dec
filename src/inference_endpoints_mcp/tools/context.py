"""What tools need from the server: a narrow bundle the server fills in for every call."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from mcp.server.mcpserver import Context, Resolve

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.hardware_cache import HardwareListing
from inference_endpoints.inference import AsyncInference
from inference_endpoints.models import Endpoint
from inference_endpoints.watching.watcher import Watcher
from inference_endpoints_mcp.approval.approvals import Approvals
from inference_endpoints_mcp.privacy.lent_secrets import Lent
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import Fence

Tell = Callable[[], str]
"""Gives the message of the moment, at most 199 characters; asked again at every heartbeat."""


class Progress(Protocol):
    """Tells whoever listens what is happening."""

    def show(self, tell: Tell) -> None:
        """Set what is told next. Never blocks; a message overtaken by a newer one is not told."""


@dataclass(frozen=True)
class CallScope:
    """Everything one call of a tool may use."""

    endpoints: AsyncEndpointsClient
    watcher: Watcher
    inference: AsyncInference
    listing: HardwareListing
    redactor: Redactor
    approvals: Approvals
    caller: str
    """Tells this caller from others, for what may be used by the one it was given to."""
    lent: Lent
    hold_s: float
    """Seconds this host is known to bear one call."""
    telling: Callable[[], AbstractAsyncContextManager[Progress]]
    """Progress notifications for as long as the context lasts."""
    check_namespace: Callable[[str], None]
    """Raises `Refused` where the operator or the caller excluded a namespace."""
    sent: frozenset[str] = frozenset()
    """The arguments the caller named, which tells an unset one from an emptied one."""
    fence: Fence = field(default_factory=Fence)

    def changed(self, namespace: str, endpoint: Endpoint) -> None:
        """Note the answer to a change of ours: what was seen before it is out of date."""
        self.watcher.changed(namespace, endpoint)
        self.listing.changed(namespace)

    async def target(self, endpoint_name: str, namespace: str = "") -> tuple[str, str]:
        """The (namespace, name) meant by `name` or `namespace/name`. Raises `BadRequest` if the two disagree."""
        before, slash, name = endpoint_name.rpartition("/")
        if slash and namespace and before != namespace:
            raise BadRequest(
                "endpoint_name and namespace name two different namespaces.", hint="Give one of them only."
            )
        return await self.namespace(before or namespace), name

    async def namespace(self, given: str = "") -> str:
        """The namespace meant. Raises `Refused` if it may not be used, whether or not anything would be sent."""
        namespace = await self.endpoints.resolve_namespace(given or None)
        self.check_namespace(namespace)
        return namespace


class Application(Protocol):
    """What stands behind a running server: it opens a scope for each call."""

    def open_call(self, context: "Context[Any, Any]") -> Awaitable[CallScope]: ...


async def open_call(context: Context[Any, Any]) -> CallScope:
    """The resolver every tool's `call` parameter is filled by."""
    application: Application = context.request_context.lifespan_context
    return await application.open_call(context)


Call = Annotated[CallScope, Resolve(open_call)]
