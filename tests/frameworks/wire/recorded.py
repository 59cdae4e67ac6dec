"""What was recorded of a client: who it says it is, the protocol, and what it can do."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
from tests.frameworks.wire.tap import ANSWERED, SENT

_MODERN_META = "io.modelcontextprotocol/"
_VERSION_HEADER = b"mcp-protocol-version"

Message = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """`protocol` is the revision that was agreed. `sessions` is how often the client connected: some do for each call.

    `wants_progress`: it sends a progress token with its calls. `can_ask`: it declares that it can show a form.
    """

    client: str
    protocol: str
    sessions: int
    wants_progress: bool
    can_ask: bool


def read_recorded(folder: Path) -> Recorded:
    """From the lines of the processes over stdio, from the requests of the connections over HTTP."""
    messages = [message for path in sorted(folder.glob(f"*.{SENT}")) for message in _messages(path.read_bytes())]
    answers = [line for path in folder.glob(f"*.{ANSWERED}") for line in _lines(path.read_bytes())]
    metas = [message.get("params", {}).get("_meta", {}) for message in messages]
    modern = next((meta for meta in metas if f"{_MODERN_META}clientInfo" in meta), None)
    if modern is not None:
        client, capabilities = modern[f"{_MODERN_META}clientInfo"], modern[f"{_MODERN_META}clientCapabilities"]
        protocol = modern[f"{_MODERN_META}protocolVersion"]
    else:
        hello = next(message["params"] for message in messages if message.get("method") == "initialize")
        client, capabilities = hello["clientInfo"], hello["capabilities"]
        agreed = [line["result"]["protocolVersion"] for line in answers if "protocolVersion" in line.get("result", {})]
        protocol = (agreed or [message["header"] for message in messages if message.get("header")])[0]
    starts = [message for message in messages if message.get("method") == "initialize"]
    processes = len(list(folder.glob(f"*.{ANSWERED}")))
    return Recorded(
        client=f"{client['name']} {client['version']}",
        protocol=protocol,
        sessions=len(starts) or processes,
        wants_progress=any("progressToken" in meta for meta in metas),
        can_ask="elicitation" in capabilities,
    )


def _messages(sent: bytes) -> Iterator[Message]:
    return _lines(sent) if sent.startswith(b"{") else _bodies(sent)


def _lines(text: bytes) -> Iterator[Message]:
    for line in text.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def _bodies(sent: bytes) -> Iterator[Message]:
    """The messages in the requests of one connection, each with its header of the protocol's version."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(sent)
    header, body = "", b""
    while not isinstance(event := connection.next_event(), h11.ConnectionClosed):
        if event is h11.NEED_DATA:
            return
        if isinstance(event, h11.Request):
            header, body = dict(event.headers).get(_VERSION_HEADER, b"").decode(), b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            with suppress(ValueError):
                yield json.loads(body) | {"header": header}
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()
