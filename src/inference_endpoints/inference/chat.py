"""Chat with the OpenAI API's `/v1/chat/completions`, streamed, which every engine for chat serves.

Sources: the published chat-completion schemas of huggingface.js, and the servers of llama.cpp, vLLM and TGI.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from inference_endpoints.errors import BadRequest, Unavailable
from inference_endpoints.inference.cold_start import CallDeadline, OpenResponse
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.error_response import SEE_UPSTREAM, error_text
from inference_endpoints.transport.http import httpx, read_up_to, server_sent_events

ROUTE = "/v1/chat/completions"
MAX_STREAM_CHARACTERS = 32 * 1024 * 1024
"""Characters of one answer, in all its chunks. A longer one is refused."""


@dataclass(frozen=True)
class ChatMessage:
    """One turn. `content` is text, or the API's list of parts for other content."""

    role: str
    content: str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Usage:
    """Tokens read and written, as the engine counts them; None if it does not report them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True)
class ChatDelta:
    """A part of an answer. `tool_calls` are fragments, unchanged; `finish_reason` and `usage` come last."""

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class ChatResponse:
    """A whole answer. Times are in seconds from the start of the call, and include waking the endpoint.

    `text` and `reasoning` are untrusted: a model wrote them. `tool_calls` have the form of the API; their
    `arguments` are a string of JSON that the model wrote and nobody checked.
    """

    text: str
    reasoning: str
    finish_reason: str | None
    tool_calls: Sequence[Mapping[str, Any]]
    usage: Usage
    seconds: float
    seconds_to_first_token: float | None
    woke: bool

    @property
    def tokens_per_second(self) -> float | None:
        """Generation speed: the tokens after the first, divided by their time. None if it is unknown."""
        tokens, first = self.usage.completion_tokens, self.seconds_to_first_token
        if tokens is None or tokens < 2 or first is None or self.seconds <= first:
            return None
        return (tokens - 1) / (self.seconds - first)


@dataclass
class Transcript:
    """Assembles deltas into a whole response."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage = Usage()
    seconds_to_first_token: float | None = None

    def add(self, delta: ChatDelta, elapsed: float) -> None:
        if self.seconds_to_first_token is None and (delta.text or delta.reasoning or delta.tool_calls):
            self.seconds_to_first_token = elapsed
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        for fragment in delta.tool_calls:
            self._add_tool_call(fragment)

    def response(self, seconds: float, *, woke: bool) -> ChatResponse:
        return ChatResponse(
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            finish_reason=self.finish_reason,
            tool_calls=[call for _, call in sorted(self.tool_calls.items())],
            usage=self.usage,
            seconds=seconds,
            seconds_to_first_token=self.seconds_to_first_token,
            woke=woke,
        )

    def _add_tool_call(self, fragment: Mapping[str, Any]) -> None:
        """Merge a fragment. All fragments of a call have one `index`; each has a piece of the arguments."""
        index, part = fragment.get("index"), fragment.get("function")
        call = self.tool_calls.setdefault(index if isinstance(index, int) else len(self.tool_calls), {})
        call |= {key: value for key, value in fragment.items() if value and key not in {"index", "function"}}
        function = call.setdefault("function", {"name": "", "arguments": ""})
        if isinstance(part, dict):
            function["name"] += part.get("name") or ""
            function["arguments"] += arguments_to_text(part.get("arguments"))


Messages = Sequence[ChatMessage | Mapping[str, Any]]


def build_chat_request(messages: Messages, **settings: Any) -> Callable[[Endpoint, str], EngineRequest]:
    """A function that builds the request for an endpoint and a model's name. Settings that are None are left out."""
    turns = [
        {"role": turn.role, "content": turn.content} if isinstance(turn, ChatMessage) else dict(turn)
        for turn in messages
    ]
    chosen = {key: value for key, value in settings.items() if value is not None}

    def build(_: Endpoint, model: str) -> EngineRequest:
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return EngineRequest(ROUTE, {"model": model, "messages": turns, **streamed, **chosen})

    return build


async def stream_deltas(opened: OpenResponse, deadline: CallDeadline) -> AsyncGenerator[ChatDelta]:
    """Yield the deltas of an answer. An answer that the engine does not stream is one delta."""
    who = opened.call.label
    failing = f"{who} did not finish its answer"
    if "text/event-stream" not in opened.response.headers.get("content-type", ""):
        with deadline.limit(failing):
            content = await read_up_to(opened.response, MAX_STREAM_CHARACTERS)
        yield parse_delta(content, who)
        return
    async with (
        aclosing(_parse_stream(opened.response, who)) as deltas,
        aclosing(deadline.limit_each(deltas, failing)) as timed,
    ):
        async for delta in timed:
            yield delta


async def _parse_stream(response: httpx.Response, who: str) -> AsyncGenerator[ChatDelta]:
    """Yield the deltas of a streamed answer, up to its `[DONE]`.

    Raises `Unavailable` if the engine reports an error in the stream, or ends the stream too early.
    """
    finished = False
    size = 0
    async for data in server_sent_events(response):
        if data.strip() == "[DONE]":
            return
        size += len(data)
        if size > MAX_STREAM_CHARACTERS:
            raise Unavailable(f"{who} sent more than 32 MiB and was still answering.", hint="Set max_tokens.")
        delta = parse_delta(data.encode(), who)
        finished = finished or delta.finish_reason is not None
        yield delta
    if not finished:
        raise Unavailable(f"{who} broke off its answer.", hint="Try again. If it happens again, read its logs.")


class _ChatMessage(BaseModel, defer_build=True):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(BaseModel, defer_build=True):
    delta: _ChatMessage | None = None
    message: _ChatMessage | None = None
    finish_reason: str | None = None


class _Chunk(BaseModel, defer_build=True):
    """One chunk of a stream, or a whole answer that an engine did not stream."""

    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: Any = None


def parse_delta(data: bytes, who: str) -> ChatDelta:
    """Parse one chunk. Raises `Unavailable` if it reports an error, `BadRequest` if it is not a chunk."""
    try:
        chunk = _Chunk.model_validate_json(data)
    except ValidationError as error:
        raise BadRequest(
            f"{who} sent an answer that is not chat: it seems to serve another task.", hint="Check its task."
        ) from error
    if chunk.error:
        raise Unavailable(f"{who} failed while answering.", hint=SEE_UPSTREAM, upstream=error_text(data))
    choice = chunk.choices[0] if chunk.choices else _Choice()
    message = choice.delta or choice.message or _ChatMessage()
    return ChatDelta(
        text=message.content or "",
        reasoning=message.reasoning_content or message.reasoning or "",
        tool_calls=message.tool_calls or (),
        finish_reason=choice.finish_reason,
        usage=chunk.usage,
    )


def arguments_to_text(arguments: Any) -> str:
    """A function's arguments as a string of JSON, as the API defines. Some engines send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments)
