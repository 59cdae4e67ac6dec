"""Chat answers in the form of the OpenAI API, which code for huggingface_hub's and openai's clients reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.chat import ChatAnswer, ChatDelta, Usage


@dataclass(frozen=True)
class ChatCompletionMessage:
    """What the model said: strangers' text. `tool_calls` are as the API has them."""

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
    """A whole answer: `choices[0].message.content`. Engines are asked for one choice."""

    choices: Sequence[ChatCompletionChoice]
    usage: Usage

    @classmethod
    def of(cls, answer: ChatAnswer) -> "ChatCompletion":
        message = ChatCompletionMessage(answer.text, reasoning=answer.reasoning, tool_calls=answer.tool_calls)
        return cls([ChatCompletionChoice(message, answer.finish_reason)], answer.usage)


@dataclass(frozen=True)
class ChatCompletionChunkChoice:
    delta: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0


@dataclass(frozen=True)
class ChatCompletionChunk:
    """One step of a streamed answer: `choices[0].delta.content`. `usage` comes with the last, if at all."""

    choices: Sequence[ChatCompletionChunkChoice]
    usage: Usage | None = None

    @classmethod
    def of(cls, delta: ChatDelta) -> "ChatCompletionChunk":
        said = ChatCompletionMessage(delta.text, reasoning=delta.reasoning, tool_calls=delta.tool_calls)
        return cls([ChatCompletionChunkChoice(said, delta.finish_reason)], delta.usage)
