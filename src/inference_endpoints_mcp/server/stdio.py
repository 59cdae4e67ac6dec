"""The messages of one host over stdin and stdout. Each invalid line gets an answer."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, RequestId
from pydantic import ValidationError

_INVALID_JSON = (
    "This line is not valid JSON: nothing was done. Each message is one line of JSON in UTF-8, without halves of "
    "surrogate pairs."
)
_INVALID_MESSAGE = "This is not a JSON-RPC 2.0 message: nothing was done."


@asynccontextmanager
async def stdio_messages() -> AsyncIterator[tuple[MemoryObjectReceiveStream[SessionMessage | Exception], Any]]:
    """The streams of messages and of answers. The SDK drops invalid lines, and the host would wait for ever."""
    send, messages = anyio.create_memory_object_stream[SessionMessage | Exception]()
    async with stdio_server() as (lines, answers), anyio.create_task_group() as tasks:
        tasks.start_soon(_sort_lines, lines, answers, send)
        yield messages, answers


async def _sort_lines(lines: Any, answers: Any, messages: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
        async with messages:
            async for line in lines:
                if not isinstance(line, ValidationError):
                    await messages.send(line)
                elif (error := _error_of(line)) is not None:
                    await answers.send(SessionMessage(error))


def _error_of(invalid: ValidationError) -> JSONRPCError | None:
    """The answer to an invalid line; None for an empty one."""
    first = invalid.errors(include_url=False, include_context=False)[0]
    if first["type"] != "json_invalid":
        return JSONRPCError(
            jsonrpc="2.0", id=_id_of(first["input"]), error=ErrorData(code=INVALID_REQUEST, message=_INVALID_MESSAGE)
        )
    line = str(first["input"])
    if not line.strip():
        return None
    return JSONRPCError(
        jsonrpc="2.0", id=_id_of(_parse(line)), error=ErrorData(code=PARSE_ERROR, message=_INVALID_JSON)
    )


def _parse(line: str) -> Any:
    """The line by a parser that accepts half of a surrogate pair, so that its request gets its answer."""
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    return None


def _id_of(message: Any) -> RequestId | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None
