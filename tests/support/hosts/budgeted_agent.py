"""An agent at work: it calls tools, counts its calls, and may make no more than a careful engineer would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.types import CallToolResult
from tests.support.hosts.host import Host


class Agent:
    """Calls tools through a host, one after the other."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.calls: list[str] = []

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        self.calls.append(tool)
        return await self._host.call(tool, **arguments)

    async def send(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """Call a tool that may refuse."""
        self.calls.append(tool)
        return await self._host.send(tool, **arguments)

    async def refused(self, tool: str, code: str, /, **arguments: Any) -> str:
        self.calls.append(tool)
        return await self._host.refused(tool, code, **arguments)

    async def follow(self, proposed: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make a call that an answer proposes, with further arguments of the person."""
        return await self.call(proposed["tool"], **proposed["arguments"] | more)


@asynccontextmanager
async def at_work(host: Host, *, at_most: int) -> AsyncIterator[Agent]:
    """An agent with a job for which a careful engineer makes `at_most` calls."""
    agent = Agent(host)
    yield agent
    assert len(agent.calls) <= at_most, agent.calls
