"""Chat answers in the form of the OpenAI API, as the clients of huggingface_hub and openai return them.

Fields are read as attributes or as items. An answer's message can be one of the messages of the next chat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.chat.answer import AnswerId, ChatChoice, ChatDelta, ChatResponse, Usage
from inference_endpoints.inference.chat.messages import arguments_to_text
from inference_endpoints.inference.tasks.outputs import Output, keep_extra


@dataclass(frozen=True)
class FunctionCall(Output):
    """A function to call. `arguments` is a string of JSON that the model wrote and nobody checked."""

    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class ToolCall(Output):
    """A tool to call. In a stream, fragments of one call have one `index`, and each a piece of the arguments."""

    function: FunctionCall
    id: str | None = None
    type: str = "function"
    index: int | None = None

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> "ToolCall":
        part = call.get("function")
        part = part if isinstance(part, Mapping) else {}
        function = FunctionCall(part.get("name"), arguments_to_text(part.get("arguments")))
        return cls(function, call.get("id"), call.get("type") or "function", call.get("index"))


@dataclass(frozen=True)
class TopLogprob(Output):
    token: str
    logprob: float | None = None


@dataclass(frozen=True)
class TokenLogprob(Output):
    """The log probability of a token, and the most probable ones in its place."""

    token: str
    logprob: float | None = None
    top_logprobs: Sequence[TopLogprob] = ()

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "TokenLogprob":
        listed = item.get("top_logprobs")
        rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
        others = [keep_extra(TopLogprob(str(row.get("token", "")), row.get("logprob")), row) for row in rows]
        return keep_extra(cls(str(item.get("token", "")), item.get("logprob"), others), item)


@dataclass(frozen=True)
class ChatCompletionLogprobs(Output):
    """An item for each token."""

    content: Sequence[TokenLogprob]

    @classmethod
    def of(cls, items: Sequence[Mapping[str, Any]]) -> "ChatCompletionLogprobs | None":
        return cls([TokenLogprob.of(item) for item in items]) if items else None


@dataclass(frozen=True)
class ChatCompletionMessage(Output):
    """What the model wrote: untrusted text. `content` is empty where it calls tools instead."""

    content: str
    role: str = "assistant"
    reasoning: str | None = None
    tool_calls: Sequence[ToolCall] | None = None
    refusal: str | None = None

    @classmethod
    def of(cls, part: ChatChoice | ChatDelta) -> "ChatCompletionMessage":
        message = cls(
            part.text,
            reasoning=part.reasoning or None,
            tool_calls=[ToolCall.of(call) for call in part.tool_calls] or None,
            refusal=part.refusal or None,
        )
        return keep_extra(message, part.extra.message)


@dataclass(frozen=True)
class ChatCompletionChoice(Output):
    message: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0
    logprobs: ChatCompletionLogprobs | None = None


@dataclass(frozen=True)
class ChatCompletion(Output):
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
            keep_extra(
                ChatCompletionChoice(
                    ChatCompletionMessage.of(each),
                    each.finish_reason,
                    each.index,
                    ChatCompletionLogprobs.of(each.logprobs),
                ),
                each.extra.choice,
            )
            for each in response.choices
        ]
        return keep_extra(cls(choices, response.usage, *_named(response.answer)), response.extra.answer)


@dataclass(frozen=True)
class ChatCompletionChunkChoice(Output):
    delta: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0
    logprobs: ChatCompletionLogprobs | None = None


@dataclass(frozen=True)
class ChatCompletionChunk(Output):
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
        choice = ChatCompletionChunkChoice(
            ChatCompletionMessage.of(delta),
            delta.finish_reason,
            delta.index,
            ChatCompletionLogprobs.of(delta.logprobs),
        )
        choices = [keep_extra(choice, delta.extra.choice)]
        return keep_extra(cls(choices, delta.usage, *_named(delta.answer)), delta.extra.answer)


def _named(answer: AnswerId) -> tuple[str, int | None, str, str | None]:
    return answer.id or "", answer.created, answer.model or "", answer.system_fingerprint
