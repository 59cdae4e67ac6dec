"""The demo's host: it calls tools over the real protocol, and prints calls, progress and results for a person."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    TextContent,
)

from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.install.launch import find_command

HOST = Implementation(name="inference-endpoints-demo", version=__version__)

_BOLD, _DIM, _GREEN, _RED, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


class StepFailed(Exception):
    """A step of the demo did not have the expected result."""


@dataclass
class StepResult:
    name: str
    ok: bool
    seconds: float


@dataclass
class DemoReport:
    """The steps and what was observed, for `--json` and the exit code."""

    steps: list[StepResult] = field(default_factory=list)
    states_seen: list[str] = field(default_factory=list)
    progress_notifications: int = 0

    def add_states(self, states: list[str]) -> None:
        self.states_seen += [state for state in states if state not in self.states_seen]


class ConsoleHost:
    """Calls tools as a host does, and prints each call, its progress and its result to `out`."""

    def __init__(self, client: Client, report: DemoReport, out: TextIO) -> None:
        self._client = client
        self._out = out
        self._colour = out.isatty()
        self._line_open = False
        self.report = report

    @asynccontextmanager
    async def step(self, name: str, title: str) -> AsyncIterator[None]:
        """One step. It fails if the block raises."""
        self._write(f"\n{self._paint(_BOLD, title)}")
        started = time.monotonic()
        ok = False
        try:
            yield
            ok = True
        except StepFailed as failed:
            self._write(self._paint(_RED, f"  ✗ {failed}"))
            raise
        finally:
            self.report.steps.append(StepResult(name, ok, round(time.monotonic() - started, 2)))

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its structured content. Raises `StepFailed` if the result is an error."""
        result = await self._send(tool, arguments)
        if result.is_error:
            raise StepFailed(strip_fence(_text(result)))
        content = result.structured_content or {}
        self.report.add_states(content.get("states_seen") or [content["state"]] if content.get("state") else [])
        self._write(f"  {self._paint(_GREEN, '←')} {content.get('now', '')}")
        return content

    async def call_expecting_error(self, tool: str, code: str, /, **arguments: Any) -> str:
        """Call a tool that must return this error. Returns its text."""
        result = await self._send(tool, arguments)
        text = _text(result)
        if not result.is_error or not text.startswith(f"{code}:"):
            raise StepFailed(f"{tool} should have returned {code}, but returned: {text[:200]}")
        self._write(f"  {self._paint(_GREEN, '←')} {text}")
        return text

    def show(self, label: str, text: str) -> None:
        indented = text.strip().replace("\n", "\n    ")
        self._write(f"    {self._paint(_DIM, label)} {indented}")

    async def _send(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        formatted = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        self._write(f"  {self._paint(_BOLD, '→')} {tool}({formatted})")
        result = await self._client.call_tool(tool, arguments, progress_callback=self._on_progress)
        self._end_line()
        return result

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.report.progress_notifications += 1
        text = f"    {self._paint(_DIM, '…')} {message}"
        if not self._colour:
            self._write(text)
            return
        self._out.write(f"\r\x1b[2K{text}")
        self._out.flush()
        self._line_open = True

    def _write(self, text: str) -> None:
        self._end_line()
        self._out.write(text + "\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._line_open:
            self._out.write("\n")
            self._line_open = False

    def _paint(self, style: str, text: str) -> str:
        return f"{style}{text}{_OFF}" if self._colour else text


@asynccontextmanager
async def start_host(arguments: list[str], approve: Callable[[str], str]) -> AsyncIterator[Client]:
    """A host that starts the server over stdio. `approve` gets a question and returns the name that a person types."""

    async def on_elicitation(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        return ElicitResult(action="accept", content={"name": approve(params.message)})

    command = [*find_command(), *arguments]
    server = StdioServerParameters(command=command[0], args=command[1:], env=_environment())
    async with Client(stdio_client(server), client_info=HOST, elicitation_callback=on_elicitation) as client:
        yield client


def _environment() -> dict[str, str]:
    """The environment of this process (proxies, folders), without the settings that would change the demo's server."""
    kept = {"INFERENCE_ENDPOINTS_CACHE_DIR"}
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(("HF_", "INFERENCE_ENDPOINTS_"))
    }


def strip_fence(text: str) -> str:
    """A fenced text without its marks, for a person to read."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("<untrusted-", "</untrusted-")))


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))
