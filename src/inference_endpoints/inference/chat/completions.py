"""Chat answers in the form of the OpenAI API, as the clients of huggingface_hub and openai return them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.chat.answer import ChatDelta, ChatResponse, Usage


@dataclass(frozen=True)
class ChatCompletionMessage:
    """What the model wrote: untrusted text. `tool_calls` have the form of the API."""

    content: str
    role: str = "assistant"
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    refusal: str = ""


@dataclass(frozen=True)
class ChatCompletionLogprobs:
    """For each token an item with `token`, `logprob` and `top_logprobs`."""

    content: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ChatCompletionChoice:
    message: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0
    logprobs: ChatCompletionLogprobs | None = None


@dataclass(frozen=True)
class ChatCompletion:
    """A whole answer: `choices[0].message.content`. It has as many choices as `n` asked for."""

    choices: Sequence[ChatCompletionChoice]
    usage: Usage
    id: str = ""
    created: int | None = None
    model: str = ""
    system_fingerprint: str | None = None
    object: str = "chat.completion"

    @classmethod
    def of(cls, response: ChatResponse) -> "ChatCompletion":
        choices = [
            ChatCompletionChoice(
                ChatCompletionMessage(
                    each.text, reasoning=each.reasoning, tool_calls=each.tool_calls, refusal=each.refusal
                ),
                each.finish_reason,
                each.index,
                ChatCompletionLogprobs(each.logprobs) if each.logprobs else None,
            )
            for each in response.choices
        ]
        answer = response.answer
        named = answer.id or "", answer.created, answer.model or "", answer.system_fingerprint
        return cls(choices, response.usage, *named)


@dataclass(frozen=True)
class ChatCompletionChunkChoice:
    delta: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0
    logprobs: ChatCompletionLogprobs | None = None


@dataclass(frozen=True)
class ChatCompletionChunk:
    """A part of a streamed answer: `choices[0].delta.content`. Only the last one can have a `usage`."""

    choices: Sequence[ChatCompletionChunkChoice]
    usage: Usage | None = None
    id: str = ""
    created: int | None = None
    model: str = ""
    system_fingerprint: str | None = None
    object: str = "chat.completion.chunk"

    @classmethod
    def of(cls, delta: ChatDelta) -> "ChatCompletionChunk":
        message = ChatCompletionMessage(
            delta.text, reasoning=delta.reasoning, tool_calls=delta.tool_calls, refusal=delta.refusal
        )
        logprobs = ChatCompletionLogprobs(delta.logprobs) if delta.logprobs else None
        choice = ChatCompletionChunkChoice(message, delta.finish_reason, delta.index, logprobs)
        answer = delta.answer
        named = answer.id or "", answer.created, answer.model or "", answer.system_fingerprint
        return cls([choice], delta.usage, *named)
