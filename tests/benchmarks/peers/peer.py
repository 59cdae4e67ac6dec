"""A host's side of MCP over stdio, raw: one JSON object a line, so that no client library is measured with it."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

BARE_SERVER = (str(Path(__file__).with_name("bare_server.py")),)
OUR_SERVER = ("-m", "inference_endpoints_mcp")

_META = "io.modelcontextprotocol/"


class Era(StrEnum):
    """The two ways the protocol begins: with a handshake, or at once."""

    LEGACY = "2025-11-25"
    MODERN = "2026-07-28"


class Peer:
    """A server in a process of its own. Leaving the context ends it, as a host does, by closing its input."""

    def __init__(
        self, server: Sequence[str], era: Era = Era.LEGACY, stderr: int | IO[str] = subprocess.DEVNULL
    ) -> None:
        self._era = era
        self._last = 0
        self._process = subprocess.Popen(
            [sys.executable, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self) -> None:
        """Whatever comes before the first request that a host is interested in."""
        if self._era is Era.MODERN:
            self.request("server/discover")
            return
        client = {"name": "benchmark", "version": "1"}
        self.request("initialize", protocolVersion=self._era, capabilities={}, clientInfo=client)
        self._write({"method": "notifications/initialized"})

    def tools(self) -> list[dict[str, Any]]:
        return list(self.request("tools/list")["tools"])

    def call(self, tool: str, on_progress: Callable[[str], None] | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its structured content; fails if it answers with an error."""
        result = self.request("tools/call", on_progress, name=tool, arguments=arguments)
        assert not result.get("isError"), result["content"]
        return dict(result.get("structuredContent") or {})

    def read(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return the text that a model is given."""
        result = self.request("tools/call", name=tool, arguments=arguments)
        assert not result.get("isError"), result["content"]
        return "".join(block["text"] for block in result["content"])

    def request(self, method: str, on_progress: Callable[[str], None] | None = None, **params: Any) -> dict[str, Any]:
        """The result of a request. `on_progress` gets the messages that come before it."""
        self._last += 1
        self._write({"id": self._last, "method": method, "params": params | {"_meta": self._meta(on_progress)}})
        while (answer := self._read()).get("id") != self._last:
            if on_progress is not None and answer.get("method") == "notifications/progress":
                on_progress(answer["params"]["message"])
        assert "result" in answer, answer
        return dict(answer["result"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def _meta(self, on_progress: object) -> dict[str, Any]:
        meta: dict[str, Any] = {"progressToken": self._last} if on_progress else {}
        if self._era is Era.MODERN:
            meta |= {f"{_META}protocolVersion": self._era, f"{_META}clientCapabilities": {}}
        return meta

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server ended without an answer"
        return dict(json.loads(line))
