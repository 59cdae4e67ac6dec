"""The host's side of the protocol: connects to a server in this process, and keeps its notifications."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    Resource,
    TextContent,
)
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.in_process import InMemoryTransport, Transport
from tests.support.hosts.tables import without_tables

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.token_bound import token_bound
from inference_endpoints_mcp.server.answers.rendering import ERROR_META
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.tools.kept_outputs import SCHEME as OUTPUTS

Mode = Literal["auto", "legacy"]
Answer = Callable[[str], Any]
"""Answers a question: with a name, True or False, None for a refusal, or an `ElicitResult`; may be awaitable."""

PATIENT = "inference-endpoints-demo"
"""The name of a host that is known to wait for minutes. One that is not known is held for seconds at first."""
OUTPUT_LIMIT = 28_000
"""Characters of 8,000 tokens, at 3.5 each."""


@dataclass
class Host:
    """A connected client, with the progress it received as (value, message)."""

    client: Client
    progress: list[tuple[float, str]] = field(default_factory=list)
    received: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The data that a tool returns. Both channels must carry the same: the text as compact JSON, rows as tables."""
        result = await self.send(tool, **arguments)
        assert not result.is_error, text_of(result)
        text, facts = text_of(result), result.structured_content
        read = json.loads(text)
        assert without_tables(read) == facts
        assert text == json.dumps(read, ensure_ascii=False, separators=(",", ":"))
        return dict(facts or {})

    async def refused(self, tool: str, code: str, /, **arguments: Any) -> str:
        """The server's own words with which a tool refuses. It must have this code."""
        result = await self.send(tool, **arguments)
        text = text_of(result)
        assert result.is_error, text
        assert text.startswith(f"{code}: "), text
        assert (result.meta or {})[ERROR_META]["code"] == code
        assert result.structured_content is None
        return parts_of(result)[0]

    async def list_outputs(self) -> list[Resource]:
        """The outputs of endpoints that can be read as resources."""
        listed = (await self.client.list_resources()).resources
        return [resource for resource in listed if resource.uri.startswith(OUTPUTS)]

    async def send(self, tool: str, /, **arguments: Any) -> CallToolResult:
        result = await self.client.call_tool(tool, arguments, progress_callback=self._on_progress)
        assert isinstance(result, CallToolResult)
        return result

    async def wait_on(self, **arguments: Any) -> dict[str, Any]:
        """Wait for endpoints, and again as each output says, however short this host's limit is."""
        waited = await self.call("wait_for_endpoint", **arguments)
        while waited["next"] and (again := waited["next"][0])["tool"] == "wait_for_endpoint":
            waited = await self.call("wait_for_endpoint", **again["arguments"])
        return waited

    async def wait_for_progress(self, text: str) -> None:
        """Return once a notification contains this text."""
        async with asyncio.timeout(HANG_TIMEOUT_S), self.received:
            await self.received.wait_for(lambda: any(text in message for _, message in self.progress))

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        async with self.received:
            self.progress.append((progress, message or ""))
            self.received.notify_all()


@asynccontextmanager
async def connected(
    transport: Transport, mode: Mode, *, answer: Answer | None = None, name: str = PATIENT
) -> AsyncIterator[Host]:
    """A host of this name; with `answer` a person can answer its questions."""

    async def elicit(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        assert answer is not None
        reply = answer(params.message)
        reply = await reply if asyncio.iscoroutine(reply) else reply
        if isinstance(reply, ElicitResult):
            return reply
        if reply is None:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"approve" if isinstance(reply, bool) else "name": reply})

    client = Client(
        transport,
        mode=mode,
        client_info=Implementation(name=name, version="1"),
        elicitation_callback=elicit if answer else None,
    )
    async with client:
        yield Host(client)


@asynccontextmanager
async def serving(
    options: ServerOptions, mode: Mode = "auto", *, answer: Answer | None = None, name: str = PATIENT
) -> AsyncIterator[Host]:
    """A host of a server in this process."""
    server = EndpointsServer(options, Redactor())
    async with connected(InMemoryTransport(server), mode, answer=answer, name=name) as host:
        yield host


def pollers() -> list[str]:
    """The tasks of this process that poll an endpoint or a resource."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("watch ")]


def text_of(result: CallToolResult) -> str:
    """The one block: many hosts pass on only the first."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def parts_of(result: CallToolResult) -> list[str]:
    """The server's own text; then a plan, or what a stranger wrote."""
    return text_of(result).split("\n\n", 1)


def tokens_of(output: dict[str, Any]) -> int:
    """Tokens of an output as a model reads it, counted with room to spare."""
    return token_bound(json.dumps(output, ensure_ascii=False, separators=(",", ":")))


def size_of(output: dict[str, Any]) -> int:
    """Characters of an output as a model reads it."""
    return len(json.dumps(output, ensure_ascii=False, separators=(",", ":")))
