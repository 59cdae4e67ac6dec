"""An upstream on a real socket that plays control plane and endpoints from a script.

It speaks HTTP by hand because the interesting answers are those that no framework gives: dropped after the
request was read, never begun, broken off, or split in the middle of a character.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from tests.support.service.captures import CAPTURES

TOKEN = "hf_test_token"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Answer:
    """A scripted answer. `body` is bytes, or anything else as JSON; `parts` are sent instead, one packet each, and
    then end properly, break off, or are followed by silence. Nothing is sent before `after` returns."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    parts: Sequence[bytes] | None = None
    end: Literal["proper", "broken", "silent"] = "proper"
    after: Callable[[], Awaitable[object]] | None = None

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} scripted", "connection: close"]
        kind = {} if isinstance(self.body, bytes) else {"content-type": "application/json"}
        length = {} if self.parts is not None else {"content-length": str(len(self.content()))}
        lines += [f"{name}: {value}" for name, value in (kind | length | self.headers).items()]
        if self.parts is not None:
            lines.append("transfer-encoding: chunked")
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


DROPPED = Answer(status=0)
"""The request is read, and the connection closed without an answer."""
SILENT = Answer(status=-1)
"""The request is read, and nothing is sent until the client disconnects."""


def events(*chunks: Any, end: Literal["proper", "broken", "silent"] = "proper") -> Answer:
    """A stream of server-sent events, one packet each."""
    parts = [chunk if isinstance(chunk, bytes) else f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return Answer(headers={"content-type": "text/event-stream"}, parts=parts, end=end)


class Upstream:
    """Answers by method and path (without query). The last answer of a route is repeated."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self._script: dict[tuple[str, str], list[Answer]] = {}
        self._talks: set[asyncio.Task[None]] = set()

    def answers(self, method: str, path: str, *answers: Answer) -> None:
        self._script[method, path] = list(answers)

    def shows(self, state: str, *more: str, **status: Any) -> None:
        """The states of endpoint acme/chat, one for each request."""
        answers = [Answer(body=self.endpoint(each, **status)) for each in (state, *more)]
        self.answers("GET", "/v2/endpoint/acme/chat", *answers)

    def runs(self, engine: str, env: Mapping[str, str] | None = None, task: str | None = None, **status: Any) -> None:
        """Endpoint acme/chat runs with this engine and this environment; its task is text-generation by default."""
        document = self.endpoint("running", **status)
        document["model"] |= {"task": task} if task else {}
        document["model"] |= {"image": {engine: {"url": "registry.example/engine:1"}}, "env": dict(env or {})}
        self.answers("GET", "/v2/endpoint/acme/chat", Answer(body=document))

    def serves(self, path: str, *answers: Answer) -> None:
        """What the endpoint's own address answers to POST."""
        self.answers("POST", f"/serve/chat{path}", *answers)

    def endpoint(self, state: str, **status: Any) -> dict[str, Any]:
        document: dict[str, Any] = deepcopy(RUNNING)
        document["name"] = "chat"
        document["status"] |= {"state": state, "url": f"{self.url}/serve/chat"}
        if state != "running":
            document["status"]["readyReplica"] = 0
        document["status"] |= status
        return document

    def calls(self) -> list[Seen]:
        """The requests that reached the endpoint's own address."""
        return [seen for seen in self.seen if seen.path.startswith("/serve/")]

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def quiet(self) -> None:
        """Ends every connection that is still open."""
        talks = list(self._talks)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = self._next(await _read(reader))
            if answer is SILENT:
                await reader.read()
            elif answer is not DROPPED:
                if answer.after is not None:
                    await answer.after()
                await _send(answer, writer)
                if answer.end == "silent":
                    await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _next(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        script = self._script.get((seen.method, seen.path.partition("?")[0]))
        if not script:
            return Answer(404, {"error": "Not found"})
        return script.pop(0) if len(script) > 1 else script[0]


async def _read(reader: asyncio.StreamReader) -> Seen:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Seen(method, path, headers, content)


async def _send(answer: Answer, writer: asyncio.StreamWriter) -> None:
    writer.write(answer.head())
    if answer.parts is None:
        writer.write(answer.content())
    for part in answer.parts or ():
        writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)
    if answer.parts is not None and answer.end == "proper":
        writer.write(b"0\r\n\r\n")
    await writer.drain()


RUNNING = json.loads((CAPTURES / "endpoint-running-2023.json").read_text())


@asynccontextmanager
async def listening() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.connected, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield upstream
        await upstream.quiet()


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[Upstream]:
    async with listening() as upstream:
        yield upstream
