"""The demo's stage: a real host's side of the protocol, shown as a person would want to see it."""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
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

HOST = Implementation(name="inference-endpoints-demo", version=__version__)

_BOLD, _DIM, _GREEN, _RED, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


class StepFailed(Exception):
    """A step did not end as it must."""


@dataclass
class Step:
    name: str
    ok: bool
    seconds: float


@dataclass
class Record:
    """What happened, for `--json` and the exit code."""

    steps: list[Step] = field(default_factory=list)
    states_seen: list[str] = field(default_factory=list)
    progress_notifications: int = 0

    def saw(self, states: list[str]) -> None:
        self.states_seen += [state for state in states if state not in self.states_seen]


class Stage:
    """Calls tools as a host does, and shows each call, its progress and its answer on `out`."""

    def __init__(self, client: Client, record: Record, out: TextIO) -> None:
        self._client = client
        self._out = out
        self._colour = out.isatty()
        self._live = False
        self.record = record

    @asynccontextmanager
    async def step(self, name: str, title: str) -> AsyncIterator[None]:
        """One verified step: it fails unless everything inside ends as it must."""
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
            self.record.steps.append(Step(name, ok, round(time.monotonic() - started, 2)))

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its facts. Raises `StepFailed` if it answers with an error."""
        result = await self._send(tool, arguments)
        if result.is_error:
            raise StepFailed(unfenced(_text(result)))
        facts = result.structured_content or {}
        self.record.saw(facts.get("states_seen") or [facts["state"]] if facts.get("state") else [])
        self._write(f"  {self._paint(_GREEN, '←')} {facts.get('now', '')}")
        return facts

    async def refused(self, tool: str, code: str, /, **arguments: Any) -> str:
        """Call a tool that must answer with this error, and return its text."""
        result = await self._send(tool, arguments)
        text = _text(result)
        if not result.is_error or not text.startswith(f"{code}:"):
            raise StepFailed(f"{tool} should have answered {code}, but said: {text[:200]}")
        self._write(f"  {self._paint(_GREEN, '←')} {text}")
        return text

    def show(self, label: str, text: str) -> None:
        indented = text.strip().replace("\n", "\n    ")
        self._write(f"    {self._paint(_DIM, label)} {indented}")

    async def _send(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        shown = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        self._write(f"  {self._paint(_BOLD, '→')} {tool}({shown})")
        result = await self._client.call_tool(tool, arguments, progress_callback=self._on_progress)
        self._end_line()
        return result

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.record.progress_notifications += 1
        text = f"    {self._paint(_DIM, '…')} {message}"
        if not self._colour:
            self._write(text)
            return
        self._out.write(f"\r\x1b[2K{text}")
        self._out.flush()
        self._live = True

    def _write(self, text: str) -> None:
        self._end_line()
        self._out.write(text + "\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._live:
            self._out.write("\n")
            self._live = False

    def _paint(self, style: str, text: str) -> str:
        return f"{style}{text}{_OFF}" if self._colour else text


@asynccontextmanager
async def host(arguments: list[str], approve: Callable[[str], str]) -> AsyncIterator[Client]:
    """A host that starts the server over stdio. `approve` is given a question and answers with a name."""

    async def on_question(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        return ElicitResult(action="accept", content={"name": approve(params.message)})

    command = [*this_command(), *arguments]
    server = StdioServerParameters(command=command[0], args=command[1:], env=_environment())
    async with Client(stdio_client(server), client_info=HOST, elicitation_callback=on_question) as client:
        yield client


def this_command() -> list[str]:
    """The words that run this installation, from anywhere."""
    script = Path(sys.executable).with_name("inference-endpoints-mcp")
    return [str(script)] if script.exists() else [sys.executable, "-m", "inference_endpoints_mcp"]


def _environment() -> dict[str, str]:
    """Everything of ours (proxies, folders) but what would set the server up in another way than the demo says."""
    kept = {"INFERENCE_ENDPOINTS_CACHE_DIR"}
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(("HF_", "INFERENCE_ENDPOINTS_"))
    }


def unfenced(text: str) -> str:
    """A fenced text without its marks, for a person to read."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("<untrusted-", "</untrusted-")))


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))
