"""Seconds that hosts wait for one call, where that is known."""

import math
from dataclasses import dataclass


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
"""Of a host that is not in the table, the longest that is tried: many give up after 60 s."""

_A_MINUTE = HostTimeout(with_progress=50.0, without_progress=50.0)

# From the hosts' documentation and users' reports as of November 2026, less a margin. A progress token alone does not
# mean that a host waits longer. `--hold` overrides the table.
_TIMEOUTS = {
    # Each progress notification restarts its timer: 30 min over stdio, 5 min over HTTP.
    "claude-code": HostTimeout(with_progress=600.0, without_progress=240.0, over_http=240.0),
    # About 60 s, with or without progress. The newest of some wait longer.
    "claude-ai": _A_MINUTE,
    "codex-mcp-client": _A_MINUTE,
    "cursor-vscode": _A_MINUTE,
    "gemini-cli-mcp-client": _A_MINUTE,
    # Each progress notification restarts its timer since June 2026.
    "opencode": HostTimeout(with_progress=600.0, without_progress=50.0),
    # Our own demo, which has no limit.
    "inference-endpoints-demo": HostTimeout(with_progress=3_600.0, without_progress=3_600.0),
}


def has_own_name(name: str | None) -> bool:
    """Whether the name tells which program it is: many keep the default of the Python SDK."""
    return (name or "").lower() not in {"", "mcp"}


def find_timeout(name: str | None) -> HostTimeout | None:
    """The limits of a host by the name that it gives itself; None if they are not known."""
    return _TIMEOUTS.get((name or "").lower())
