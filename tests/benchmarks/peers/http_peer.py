"""A host's side of MCP over HTTP, for a server in a process of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.peers.peer import Era
from tests.load.callers import Caller
from tests.support.command import address_of


class HttpPeer:
    """One caller of each era. The server prints its address. Leaving the context ends it."""

    def __init__(self, server: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *server], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._runner = asyncio.Runner()
        self._callers: dict[Era, Caller] = {}

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, era: Era, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its structured content; fails if it answers with an error."""
        return self._runner.run(self._callers[era].call(tool, **arguments))

    def __enter__(self) -> Self:
        address = address_of(self._process)
        self._callers = {era: Caller(address, era, key="of no meaning") for era in Era}
        for caller in self._callers.values():
            self._runner.run(caller.begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self._callers.values():
            self._runner.run(caller.end())
        self._runner.close()
        self._process.terminate()
        self._process.communicate()
