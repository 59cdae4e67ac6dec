"""Chat, as every engine that serves it speaks it: the OpenAI API's `/v1/chat/completions`, streamed.

Chunks: the published chat-completion schemas of huggingface.js, and the servers of llama.cpp, vLLM and TGI.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from inference_endpoints.errors import REASON_BESIDE, BadRequest, Unavailable, words_of
from inference_endpoints.inference.cold_start import Answered, Patience
from inference_endpoints.inference.tasks import Ask, engine_of
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.http import httpx, read_up_to

ROUTE = "/v1/chat/completions"
LARGEST_STREAM = 32 * 1024 * 1024
"""Characters of one answer, its chunks together; more is refused."""


@dataclass(frozen=True)
class ChatMessage:
    """One turn. `content` is text, or the API's list of parts for what is more than text."""

    role: str
    content: str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Usage:
    """Tokens read and written, as the engine counts them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True)
class ChatDelta:
    """One step of an answer. `tool_calls` are fragments as they came; `finish_reason` and `usage` come last."""

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class ChatAnswer:
    """A whole answer. Times in seconds from the call on, so that waking the endpoint is part of both.

    `text` and `reasoning` are a model's words: strangers' text. `tool_calls` are as the API has them, their
    `arguments` a string of JSON that the model wrote and nobody has checked.
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
        """Speed of writing: the tokens after the first, by the time they took. None where that is unknown."""
        written, first = self.usage.completion_tokens, self.seconds_to_first_token
        if written is None or written < 2 or first is None or self.seconds <= first:
            return None
        return (written - 1) / (self.seconds - first)


@dataclass
class Transcript:
    """Deltas put together."""

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

    def answer(self, seconds: float, *, woke: bool) -> ChatAnswer:
        return ChatAnswer(
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
        """A call comes in fragments with one `index`; of its function's arguments each brings a piece."""
        index, said = fragment.get("index"), fragment.get("function")
        call = self.tool_calls.setdefault(index if isinstance(index, int) else len(self.tool_calls), {})
        call |= {key: value for key, value in fragment.items() if value and key not in {"index", "function"}}
        function = call.setdefault("function", {"name": "", "arguments": ""})
        if isinstance(said, dict):
            function["name"] += said.get("name") or ""
            function["arguments"] += as_text(said.get("arguments"))


Messages = Sequence[ChatMessage | Mapping[str, Any]]


def chat(messages: Messages, **settings: Any) -> Callable[[Endpoint], Ask]:
    """The request for a streamed answer, once the endpoint is known; settings that are None are left out."""
    turns = [
        {"role": turn.role, "content": turn.content} if isinstance(turn, ChatMessage) else dict(turn)
        for turn in messages
    ]
    chosen = {key: value for key, value in settings.items() if value is not None}

    def ask(endpoint: Endpoint) -> Ask:
        # To TGI another model name means an adapter; the others are documented to take the endpoint's name.
        model = "tgi" if engine_of(endpoint).startswith("tgi") else endpoint.name
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return Ask(ROUTE, {"model": model, "messages": turns, **streamed, **chosen})

    return ask


async def steps(answer: Answered, patience: Patience) -> AsyncGenerator[ChatDelta]:
    """The steps of an answer; one that the engine did not stream is a single step."""
    who = answer.call.label
    failing = f"{who} did not finish its answer"
    if "text/event-stream" not in answer.response.headers.get("content-type", ""):
        with patience.limit(failing):
            content = await read_up_to(answer.response, LARGEST_STREAM)
        yield delta_of(content, who)
        return
    async with aclosing(_streamed(answer.response, who)) as deltas, aclosing(patience.each(deltas, failing)) as timed:
        async for delta in timed:
            yield delta


async def _streamed(response: httpx.Response, who: str) -> AsyncGenerator[ChatDelta]:
    """The steps of a streamed answer, up to its `[DONE]`.

    Raises `Unavailable` if the engine reports an error on the way, or breaks off without having finished.
    """
    finished = False
    size = 0
    async for event in httpx.EventSource(response):
        if event.data.strip() == "[DONE]":
            return
        size += len(event.data)
        if size > LARGEST_STREAM:
            raise Unavailable(f"{who} does not stop answering.", hint="Set max_tokens.")
        if not event.data:
            continue
        delta = delta_of(event.data.encode(), who)
        finished = finished or delta.finish_reason is not None
        yield delta
    if not finished:
        raise Unavailable(f"{who} broke off its answer.", hint="Try again; if it happens again, read its logs.")


class _Said(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(BaseModel):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Chunk(BaseModel):
    """One chunk of a stream, or a whole answer that an engine did not stream."""

    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: Any = None


def delta_of(data: bytes, who: str) -> ChatDelta:
    """What one chunk adds. Raises `Unavailable` for a reported error, `BadRequest` for what is no chunk at all."""
    try:
        chunk = _Chunk.model_validate_json(data)
    except ValidationError as error:
        raise BadRequest(
            f"{who} answered with something that is not chat: it seems to serve another task.", hint="Look at its task."
        ) from error
    if chunk.error:
        raise Unavailable(f"{who} failed while answering.", hint=REASON_BESIDE, upstream=words_of(data))
    choice = chunk.choices[0] if chunk.choices else _Choice()
    said = choice.delta or choice.message or _Said()
    return ChatDelta(
        text=said.content or "",
        reasoning=said.reasoning_content or said.reasoning or "",
        tool_calls=said.tool_calls or (),
        finish_reason=choice.finish_reason,
        usage=chunk.usage,
    )


def as_text(arguments: Any) -> str:
    """A function's arguments as the API has them, a string of JSON; some engines send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments)
