"""The context of one call of a tool: what the server provides for it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from mcp.server.mcpserver import Context, Resolve
from mcp.types import InputRequiredResult

from inference_endpoints.errors import BadRequest
from inference_endpoints_mcp.approval.approvals import Approvals
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import Fence
from inference_endpoints_mcp.tools.kept_outputs import KeptOutputs
from inference_endpoints_mcp.tools.media_access import MediaAccess
from inference_endpoints_mcp.tools.running_calls import RunningCalls

if TYPE_CHECKING:  # the handshake needs none of these
    from inference_endpoints.clients.client import AsyncEndpointsClient
    from inference_endpoints.clients.hardware_cache import HardwareCache
    from inference_endpoints.clients.hub_reader import HubReader
    from inference_endpoints.diagnosis.start_times import StartHistory
    from inference_endpoints.inference.async_inference import AsyncInference
    from inference_endpoints.models import Endpoint
    from inference_endpoints.watching.watcher import Watcher
    from inference_endpoints_mcp.policy.send_guard import SendGuard

MAX_PROGRESS_LENGTH = 199
ProgressMessage = Callable[[], str]
"""Returns the current message, at most `MAX_PROGRESS_LENGTH` characters. It is called again at every heartbeat."""


class Progress(Protocol):
    """Reports the progress of a call to its host."""

    def report(self, message: ProgressMessage) -> None:
        """Set the message that is sent next. Never blocks; a newer message replaces one that was not sent yet."""

    def expect(self, seconds: float) -> None:
        """Set how long the call is expected to take in all, in seconds since it began."""


class Hold(Protocol):
    """How long this call may take before its host gives up."""

    @property
    def remaining_s(self) -> float:
        """Seconds until the answer must be sent."""

    def restart(self) -> None:
        """The host has just answered a question: its time runs from now on."""

    def holding(self, *, request_key: object, receipt: object) -> AbstractContextManager[None]:
        """While the call is held. `receipt` can only be known from an earlier answer. `request_key` is equal for
        repetitions of the call. Both are JSON."""

    def cut_short(self, *, request_key: object, receipt: object) -> None:
        """The answer is sent before the call is done, and proposes a call with `receipt`."""


@dataclass(frozen=True)
class CallContext:
    """Everything one call of a tool may use."""

    endpoints: "AsyncEndpointsClient"
    watcher: "Watcher"
    inference: "AsyncInference"
    hardware_cache: "HardwareCache"
    hub: "HubReader"
    start_history: "StartHistory"
    redactor: Redactor
    approvals: Approvals
    guard: "SendGuard"
    mcp: Context[Any, Any]
    """The request and the host, as the SDK knows them."""
    caller: str
    """Identifies the caller: a token may be used only by the caller it was given to."""
    lent_secrets: LentSecrets
    hold: Hold
    running_calls: RunningCalls
    report_progress: Callable[[], AbstractAsyncContextManager[Progress]]
    """Sends progress notifications for as long as the context lasts."""
    check_namespace: Callable[[str], None]
    """Raises `Refused` where the operator or the caller excluded a namespace."""
    outputs: KeptOutputs
    """What is too long or too large for an answer."""
    media: MediaAccess
    """Which files may be read and written."""
    fence: Fence = field(default_factory=Fence)

    def record_change(self, namespace: str, endpoint: "Endpoint") -> None:
        """Note the result of a change of ours: what was observed before is out of date."""
        self.watcher.record_change(namespace, endpoint)
        self.hardware_cache.record_change(namespace)

    def record_deletion(self, namespace: str, name: str) -> None:
        """Note that we deleted an endpoint."""
        self.watcher.record_deletion(namespace, name)
        self.hardware_cache.record_change(namespace)

    async def resolve_endpoint(self, endpoint_name: str, namespace: str = "") -> tuple[str, str]:
        """The (namespace, name) meant by `name` or `namespace/name`. Raises `BadRequest` if the two disagree."""
        before, slash, name = endpoint_name.rpartition("/")
        if slash and namespace and before != namespace:
            raise BadRequest(
                "endpoint_name and namespace name two different namespaces.", hint="Give only one of the two."
            )
        return await self.resolve_namespace(before or namespace), name

    async def resolve_namespace(self, given: str = "") -> str:
        """The namespace meant. Raises `Refused` if it may not be used, even where no request would be sent."""
        namespace = await self.endpoints.resolve_namespace(given or None)
        self.check_namespace(namespace)
        return namespace


def given_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Without those that are null: some hosts send null for each argument that the model left out."""
    return {name: value for name, value in arguments.items() if value is not None}


class InputNeeded(Exception):
    """Not an error: a call of the modern era has to be made again, with the answer to a question."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("the call needs an answer")
        self.result = result


class Application(Protocol):
    """What runs behind the server: it opens a context for each call."""

    def open_call(self, context: "Context[Any, Any]") -> Awaitable[CallContext]: ...


async def open_call(context: Context[Any, Any]) -> CallContext:
    """Resolves the `call` parameter of every tool."""
    application: Application = context.request_context.lifespan_context
    return await application.open_call(context)


Call = Annotated[CallContext, Resolve(open_call)]
