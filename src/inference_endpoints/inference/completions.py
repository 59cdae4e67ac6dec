"""Chat answers in the form of the OpenAI API, as the clients of huggingface_hub and openai return them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.chat import ChatDelta, ChatResponse, Usage


@dataclass(frozen=True)
class ChatCompletionMessage:
    """What the model wrote: untrusted text. `tool_calls` have the form of the API."""

    content: str
    role: str = "assistant"
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ChatCompletionChoice:
    message: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0


@dataclass(frozen=True)
class ChatCompletion:
    """A whole answer: `choices[0].message.content`. There is one choice."""

    choices: Sequence[ChatCompletionChoice]
    usage: Usage

    @classmethod
    def of(cls, response: ChatResponse) -> "ChatCompletion":
        message = ChatCompletionMessage(response.text, reasoning=response.reasoning, tool_calls=response.tool_calls)
        return cls([ChatCompletionChoice(message, response.finish_reason)], response.usage)


@dataclass(frozen=True)
class ChatCompletionChunkChoice:
    delta: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0


@dataclass(frozen=True)
class ChatCompletionChunk:
    """A part of a streamed answer: `choices[0].delta.content`. Only the last one can have a `usage`."""

    choices: Sequence[ChatCompletionChunkChoice]
    usage: Usage | None = None

    @classmethod
    def of(cls, delta: ChatDelta) -> "ChatCompletionChunk":
        message = ChatCompletionMessage(delta.text, reasoning=delta.reasoning, tool_calls=delta.tool_calls)
        return cls([ChatCompletionChunkChoice(message, delta.finish_reason)], delta.usage)
