"""An engine's answer while it arrives: the events of a stream, or the whole answer of an engine that streams none."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Protocol, TypeVar

from inference_endpoints.errors import Unavailable
from inference_endpoints.inference.calls.cold_start import CallDeadline, OpenResponse
from inference_endpoints.inference.calls.responses import read_content
from inference_endpoints.transport.http import httpx, server_sent_events

MAX_STREAM_CHARACTERS = 32 * 1024 * 1024
"""The most that is read of one stream."""
Part = TypeVar("Part", covariant=True)


class AnswerReader(Protocol[Part]):
    """Reads the parts of one answer. `length_setting` is the request's setting that limits it."""

    length_setting: str

    def read_whole(self, content: bytes) -> Iterable[Part]:
        """The parts of an answer that was not streamed."""

    def read_event(self, data: str) -> Iterable[Part]:
        """The parts of one event. Raises `Unavailable` for an error in the stream."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing can follow, so that the end of the stream is not waited for."""

    def is_whole(self, *, done: bool) -> bool:
        """Whether the answer ended where the stream did. `done`: after its `[DONE]`."""

    def read_end(self) -> Iterable[Part]:
        """The parts that are known only at the end."""


async def stream_answer(
    opened: OpenResponse, deadline: CallDeadline, reader: AnswerReader[Part]
) -> AsyncGenerator[Part]:
    """Yield the parts of an answer as they arrive, within the deadline.

    Raises `Unavailable` if the engine reports an error in the stream, or ends the stream too early, and
    `InvalidResponse` if an answer that is not streamed is too large.
    """
    who = opened.call.label
    if "text/event-stream" not in opened.response.headers.get("content-type", ""):
        for part in reader.read_whole(await read_content(opened, deadline)):
            yield part
        return
    async with (
        aclosing(_read_stream(opened.response, who, reader)) as parts,
        aclosing(deadline.limit_each(parts, f"{who} did not finish its answer")) as timed,
    ):
        async for part in timed:
            yield part


async def _read_stream(response: httpx.Response, who: str, reader: AnswerReader[Part]) -> AsyncGenerator[Part]:
    size, done = 0, False
    async for data in server_sent_events(response):
        if done := data.strip() == "[DONE]":
            break
        size += len(data)
        if size > MAX_STREAM_CHARACTERS:
            raise Unavailable(
                f"{who} sent more than 32 MiB and was still answering.", hint=f"Set {reader.length_setting}."
            )
        for part in reader.read_event(data):
            yield part
        if reader.is_complete:
            return
    if not reader.is_whole(done=done):
        raise Unavailable(f"{who} broke off its answer.", hint="Try again. If it happens again, read its logs.")
    for part in reader.read_end():
        yield part
