"""Build the request of a chat, and read its answer part by part.

Sources: the published chat-completion schemas of huggingface.js, and the servers of llama.cpp, vLLM and TGI.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from inference_endpoints.errors import BadRequest, InvalidResponse, Unavailable
from inference_endpoints.inference.calls.answer_stream import stream_answer
from inference_endpoints.inference.calls.cold_start import CallDeadline, OpenResponse
from inference_endpoints.inference.chat.answer import AnswerId, ChatDelta, ExtraFields, Usage
from inference_endpoints.inference.chat.messages import SETTINGS, Messages, check_messages
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.inference.tasks.outputs import keep_extra
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.error_response import SEE_UPSTREAM, error_text

ROUTE = "/v1/chat/completions"
_MOST = 2**63 - 1
"""JSON has integers of any size, but nothing counts further, and a larger one may be no float."""
_Count = Annotated[int, Field(ge=-_MOST, le=_MOST)]


def build_chat_request(messages: Messages, settings: Mapping[str, Any]) -> Callable[[Endpoint, str], EngineRequest]:
    """A function that builds the request for an endpoint and a model's name. Settings that are None are left out.

    Raises `BadRequest` for messages or settings that no engine could read.
    """
    turns = check_messages(messages)
    chosen = {key: value for key, value in settings.items() if value is not None}
    if problem := SETTINGS.problem(chosen):
        raise BadRequest(f"Chat: {problem}. Nothing was sent.", hint="Settings are those of the OpenAI API.")

    def build(_: Endpoint, model: str) -> EngineRequest:
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return EngineRequest(ROUTE, {"model": model, "messages": turns, **streamed, **chosen})

    return build


def stream_deltas(opened: OpenResponse, deadline: CallDeadline) -> AsyncGenerator[ChatDelta]:
    """Yield the deltas of an answer. An answer that the engine does not stream is one delta for each choice."""
    return stream_answer(opened, deadline, _DeltaReader(opened.call.label))


class _DeltaReader:
    length_setting = "max_tokens"
    is_complete = False

    def __init__(self, who: str) -> None:
        self._who = who
        self._open_choices: set[int] = {0}

    def read_whole(self, content: bytes) -> Sequence[ChatDelta]:
        return parse_deltas(content, self._who)

    def read_event(self, data: str) -> Sequence[ChatDelta]:
        deltas = parse_deltas(data.encode(), self._who)
        for delta in deltas:
            self._open_choices |= {delta.index} if delta.is_written else set()
            self._open_choices -= {delta.index} if delta.finish_reason is not None else set()
        return deltas

    def is_whole(self, *, done: bool) -> bool:
        return done or not self._open_choices

    def read_end(self) -> Sequence[ChatDelta]:
        return []


class _ChunkPart(BaseModel, extra="allow", defer_build=True):
    """An object of the API, in which an engine may have fields of its own."""

    @property
    def extra(self) -> dict[str, Any]:
        return self.model_extra or {}


class _ChunkMessage(_ChunkPart):
    role: Any = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Logprobs(BaseModel, defer_build=True):
    content: list[dict[str, Any]] | None = None


class _ChunkChoice(_ChunkPart):
    index: _Count = 0
    delta: _ChunkMessage | None = None
    message: _ChunkMessage | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _ChunkUsage(_ChunkPart):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    total_tokens: _Count | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None

    def output(self) -> Usage:
        return keep_extra(Usage(**self.model_dump(include=set(_ChunkUsage.model_fields))), self.extra)


class _Chunk(_ChunkPart):
    """One chunk of a stream, or a whole answer that an engine did not stream."""

    object: Any = None
    id: Any = None
    created: Any = None
    model: Any = None
    system_fingerprint: Any = None
    choices: list[_ChunkChoice] | None = None
    usage: _ChunkUsage | None = None
    error: Any = None

    def answer_id(self) -> AnswerId:
        """What has another type than documented is left out: nothing depends on it."""
        return AnswerId(
            self.id if isinstance(self.id, str) else None,
            int(self.created) if isinstance(self.created, int | float) and abs(self.created) <= _MOST else None,
            self.model if isinstance(self.model, str) else None,
            self.system_fingerprint if isinstance(self.system_fingerprint, str) else None,
        )


def parse_deltas(data: bytes, who: str) -> Sequence[ChatDelta]:
    """The deltas of one chunk, one for each choice in it, or one without text if it has none.

    Raises `Unavailable` if it reports an error, `InvalidResponse` if it is not a chunk.
    """
    try:
        chunk = _Chunk.model_validate_json(data)
    except ValidationError as error:
        raise InvalidResponse(
            f"{who} sent an answer that is not chat: it seems to serve another task.", hint="Check its task."
        ) from error
    if chunk.error:
        raise Unavailable(f"{who} failed while answering.", hint=SEE_UPSTREAM, upstream=error_text(data))
    return [_delta(chunk, choice) for choice in chunk.choices or [_ChunkChoice()]]


def _delta(chunk: _Chunk, choice: _ChunkChoice) -> ChatDelta:
    message = choice.delta or choice.message or _ChunkMessage()
    return ChatDelta(
        text=message.content or "",
        reasoning=message.reasoning_content or message.reasoning or "",
        tool_calls=message.tool_calls or (),
        finish_reason=choice.finish_reason,
        usage=chunk.usage.output() if chunk.usage else None,
        index=choice.index,
        refusal=message.refusal or "",
        logprobs=(choice.logprobs.content if choice.logprobs else None) or (),
        answer=chunk.answer_id(),
        extra=ExtraFields(chunk.extra, choice.extra, message.extra),
    )
