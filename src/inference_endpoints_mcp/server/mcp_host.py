"""What the server knows of the host behind a request: its name, its time limit, and whether it wants progress."""

import math
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.session import ServerSession


@dataclass(frozen=True)
class HostTimeout:
    """Seconds that a host waits for one call, with and without a progress token. Some hosts wait less over HTTP."""

    with_progress: float
    without_progress: float
    over_http: float = math.inf

    def limit(self, *, progress: bool, http: bool) -> float:
        limit = self.with_progress if progress else self.without_progress
        return min(limit, self.over_http) if http else limit


UNKNOWN_HOST = HostTimeout(with_progress=50.0, without_progress=45.0)

# From the hosts' documentation and users' reports as of November 2026, less a margin. A progress token alone does not
# mean that a host waits longer. `--hold` overrides the table.
_TIMEOUTS = {
    # Each progress notification restarts its timer: 30 min over stdio, 5 min over HTTP.
    "claude-code": HostTimeout(with_progress=600.0, without_progress=240.0, over_http=240.0),
    # About 60 s, with or without progress.
    "claude-ai": HostTimeout(with_progress=50.0, without_progress=50.0),
    # Each progress notification restarts its timer since June 2026.
    "opencode": HostTimeout(with_progress=600.0, without_progress=50.0),
    # Our own demo, which has no limit.
    "inference-endpoints-demo": HostTimeout(with_progress=3_600.0, without_progress=3_600.0),
}


def find_timeout(name: str | None) -> HostTimeout:
    return _TIMEOUTS.get((name or "").lower(), UNKNOWN_HOST)


def host_name(session: ServerSession) -> str | None:
    """The name that the host gave itself in the handshake."""
    params = session.client_params
    return params.client_info.name if params else None


def call_timeout_s(context: Context[Any, Any]) -> float:
    """Seconds that the host waits for this call."""
    timeout = find_timeout(host_name(context.session))
    return timeout.limit(progress=wants_progress(context), http=context.headers is not None)


def wants_progress(context: Context[Any, Any]) -> bool:
    """Whether the host sent a progress token. A token may be 0."""
    meta = context.request_context.meta
    return bool(meta) and (meta or {}).get("progress_token") is not None
