"""The demo's host: it calls tools over the real protocol, and prints calls, progress and results for a person."""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from inference_endpoints_mcp.terminal import Activity

if TYPE_CHECKING:
    from rich.console import Console

HOST = Implementation(name="inference-endpoints-demo", version=__version__)

_DOWNLOAD = re.compile(r"\((\d+) of (\d+) MB\)")
"""How the embedded control plane reports the download of weights."""


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
    """Calls tools as a host does, and prints each call, its progress and its result.

    In a terminal progress is one line that changes, else each notification has a line.
    """

    def __init__(self, client: Client, report: DemoReport, console: "Console") -> None:
        self._client = client
        self._console = console
        self._activity = Activity(console)
        self.report = report

    @asynccontextmanager
    async def step(self, name: str, title: str) -> AsyncIterator[None]:
        """One step. It fails if the block raises."""
        self._console.print(f"\n{title}", style="bold")
        started = time.monotonic()
        ok = False
        try:
            yield
            ok = True
        except StepFailed as failed:
            self._console.print(f"  ✗ {failed}", style="red")
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
        self._print("  ", "←", "green", content.get("now", ""))
        return content

    async def call_expecting_error(self, tool: str, code: str, /, **arguments: Any) -> str:
        """Call a tool that must return this error. Returns its text."""
        result = await self._send(tool, arguments)
        text = _text(result)
        if not result.is_error or not text.startswith(f"{code}:"):
            raise StepFailed(f"{tool} should have returned {code}, but returned: {text[:200]}")
        self._print("  ", "←", "green", text)
        return text

    def show(self, label: str, text: str) -> None:
        indented = text.strip().replace("\n", "\n    ")
        self._print("    ", label, "dim", indented)

    async def _send(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        formatted = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        self._print("  ", "→", "bold", f"{tool}({formatted})")
        with self._activity:
            self._activity.show("…")
            return await self._client.call_tool(tool, arguments, progress_callback=self._on_progress)

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.report.progress_notifications += 1
        if not self._activity.is_shown:
            self._print("    ", "…", "dim", message or "")
            return
        download = _DOWNLOAD.search(message or "")
        done, total = (int(download[1]), int(download[2])) if download else (0, None)
        self._activity.show(f"  {message}", done, total)

    def _print(self, indent: str, mark: str, style: str, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.assemble(indent, (mark, style), " ", text))


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
