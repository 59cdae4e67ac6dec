"""Build the request of a streamed text, and read it token by token."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.errors import InvalidResponse, Unavailable
from inference_endpoints.inference.calls.answer_stream import stream_answer
from inference_endpoints.inference.calls.cold_start import CallDeadline, OpenResponse
from inference_endpoints.inference.generation.answer import (
    TextGenerationOutputToken,
    TextGenerationStreamOutput,
    TextGenerationStreamOutputStreamDetails,
    finish_reason_of,
    read_generations,
    token_of,
    tokens_of_logprobs,
)
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.inference.tasks.outputs import keep_extra
from inference_endpoints.inference.tasks.readers import NOT_OF_THIS_TASK, as_text
from inference_endpoints.inference.tasks.table import TASKS
from inference_endpoints.models import Endpoint
from inference_endpoints.models.json_text import parse_json
from inference_endpoints.transport.error_response import SEE_UPSTREAM, error_text

_GENERATION = TASKS["text-generation"]


def build_stream_request(text: str, parameters: Mapping[str, Any]) -> Callable[[Endpoint, str], EngineRequest]:
    """A function that builds the request for an endpoint and a model's name.

    Raises `BadRequest` for a text or parameters that do not fit the task.
    """
    checked = _GENERATION.check([text], parameters)

    def build(endpoint: Endpoint, model: str) -> EngineRequest:
        request = _GENERATION.route_on(engine_name(endpoint.model)).request(checked, parameters, model)
        counted = {"stream_options": {"include_usage": True}} if "prompt" in request.body else {}
        return replace(request, body={**request.body, "stream": True, **counted})

    return build


def stream_tokens(opened: OpenResponse, deadline: CallDeadline) -> AsyncGenerator[TextGenerationStreamOutput]:
    """Yield the tokens of an answer. An answer that the engine does not stream is one token."""
    return stream_answer(opened, deadline, _TokenReader(opened.call.label))


@dataclass
class _Completion:
    """A stream of `/v1/completions` while it arrives."""

    text: list[str] = field(default_factory=list)
    reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    def add(self, chunk: Any) -> TextGenerationStreamOutput | None:
        """The token of a chunk, if it has one."""
        usage = chunk.get("usage")
        self.usage = usage if isinstance(usage, dict) else self.usage
        for choice in chunk["choices"]:
            self.reason = finish_reason_of(choice) or self.reason
            if text := as_text(choice.get("text") or ""):
                self.text.append(text)
                named = next(iter(tokens_of_logprobs(choice.get("logprobs"))), None)
                token = TextGenerationOutputToken(None, None, special=False, text=text)
                token = token if named is None else replace(named, text=text)
                return TextGenerationStreamOutput(len(self.text), token)
        return None

    def end(self) -> TextGenerationStreamOutput:
        """A last part without a token of its own: how a text ended is only known after its last token."""
        tokens = self.usage.get("completion_tokens")
        details = TextGenerationStreamOutputStreamDetails(self.reason, tokens, self.usage.get("prompt_tokens"))
        end = TextGenerationOutputToken(None, None, special=True, text="")
        return TextGenerationStreamOutput(len(self.text) + 1, end, details, "".join(self.text))


class _TokenReader:
    length_setting = "max_new_tokens"

    def __init__(self, who: str) -> None:
        self._who = who
        self._completion = _Completion()
        self.is_complete = False

    def read_whole(self, content: bytes) -> Sequence[TextGenerationStreamOutput]:
        return [_whole(content, self._who)]

    def read_event(self, data: str) -> Sequence[TextGenerationStreamOutput]:
        token = _parse(data, self._completion, self._who)
        self.is_complete = token is not None and token.generated_text is not None
        return [] if token is None else [token]

    def is_whole(self, *, done: bool) -> bool:
        return self._completion.reason is not None

    def read_end(self) -> Sequence[TextGenerationStreamOutput]:
        return [self._completion.end()]


def _parse(data: str, completion: _Completion, who: str) -> TextGenerationStreamOutput | None:
    try:
        event = parse_json(data)
        if event.get("error"):
            raise Unavailable(f"{who} failed while answering.", hint=SEE_UPSTREAM, upstream=error_text(data.encode()))
        return completion.add(event) if "choices" in event else _of_event(event)
    except NOT_OF_THIS_TASK as error:
        raise _other_task(who) from error


def _of_event(event: Any) -> TextGenerationStreamOutput:
    """An event of TGI."""
    details, top = event.get("details"), event.get("top_tokens")
    text = event.get("generated_text")
    known = details and TextGenerationStreamOutputStreamDetails(
        details.get("finish_reason"),
        details.get("generated_tokens"),
        details.get("input_length"),
        details.get("seed"),
    )
    output = TextGenerationStreamOutput(
        int(event.get("index") or 0),
        token_of(event["token"]),
        keep_extra(known, details) if known else None,
        None if text is None else str(text),
        [token_of(token) for token in top] if top else None,
    )
    return keep_extra(output, event)


def _whole(content: bytes, who: str) -> TextGenerationStreamOutput:
    try:
        (whole,) = read_generations(parse_json(content), 1)
    except NOT_OF_THIS_TASK as error:
        raise _other_task(who) from error
    token = TextGenerationOutputToken(None, None, special=False, text=whole.generated_text)
    return TextGenerationStreamOutput(1, token, generated_text=whole.generated_text)


def _other_task(who: str) -> InvalidResponse:
    return InvalidResponse(f"{who} sent an answer that is no generated text.", hint="Check its task.")
