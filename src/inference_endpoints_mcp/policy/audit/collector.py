"""Where lines of the audit trail are sent as well, or only there: a collector of logs."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from inference_endpoints_mcp.policy.audit.chain import ChainedLine, LineSink


class AuditCollector(Protocol):
    """Sends in the background. What it cannot deliver goes to the log."""

    @property
    def chain(self) -> LineSink:
        """The chain of lines that no file has."""

    def send(self, entry: Mapping[str, Any], line: ChainedLine | None, on_lost: Callable[[], None]) -> None:
        """Send an entry, with its place in the chain if it has one. `on_lost` may be called in another thread."""

    def close(self) -> None:
        """Send what is left, for a few seconds."""
