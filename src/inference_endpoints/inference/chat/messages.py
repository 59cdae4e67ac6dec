"""The messages and settings of a chat, checked before anything is sent. Null members are absent ones.

Source: the OpenAI API, as the published chat-completion schema of huggingface.js and the servers of vLLM, SGLang, TGI
and llama.cpp have it. What an engine has of its own is passed on unchanged.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.parameter_types import ParameterTypes, describe_problem
from inference_endpoints.inference.tasks.inputs import check_text
from inference_endpoints.inference.tasks.parameters import CallParameters, types_of
from inference_endpoints.models.json_text import parse_json


@dataclass(frozen=True)
class ChatMessage:
    """One turn. `content` is text, or the API's list of parts for other content."""

    role: str
    content: str | Sequence[Mapping[str, Any]]


Messages = Sequence[ChatMessage | Mapping[str, Any] | Any]
"""Turns as mappings, or as objects with the same members, such as the message of an answer."""

Text = Annotated[str, AfterValidator(check_text)]


def arguments_to_text(arguments: Any) -> str:
    """A function's arguments as a string of JSON, as the API defines. Some engines send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments)


def _check_arguments(text: str) -> str:
    try:
        parse_json(text or "{}")
    except ValueError:
        raise PydanticCustomError("arguments", "is not valid JSON: no engine can read it") from None
    return text


class _MessagePart(BaseModel, defer_build=True):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)


class _Function(_MessagePart):
    name: Text
    arguments: Annotated[Text, BeforeValidator(arguments_to_text), AfterValidator(_check_arguments)] = "{}"


class _CallPart(_MessagePart):
    id: Text | None = None
    function: _Function


class _ImageUrl(_MessagePart):
    url: Text


class _InputAudio(_MessagePart):
    data: Text


class _Part(_MessagePart):
    type: Text
    text: Text | None = None
    image_url: _ImageUrl | None = None
    input_audio: _InputAudio | None = None


class _Message(_MessagePart):
    role: Annotated[Text, Field(min_length=1)]
    content: Text | list[_Part] | None = None
    tool_calls: list[_CallPart] | None = None
    tool_call_id: Text | None = None


class _ToolFunction(_MessagePart):
    name: Text


class _Tool(_MessagePart):
    type: Text
    function: _ToolFunction | None = None


_MEMBERS = frozenset(
    {
        *_Message.model_fields,
        *_Part.model_fields,
        *_CallPart.model_fields,
        *_Function.model_fields,
        "url",
        "data",
    }
)


class ChatSettings(CallParameters, total=False):
    """The settings of a chat that all engines know, in the order of huggingface_hub and then the others."""

    frequency_penalty: float | None
    logit_bias: dict[str, float] | list[Any] | None
    logprobs: bool | None
    max_tokens: Annotated[int, Field(ge=1)] | None
    n: Annotated[int, Field(ge=1, le=128)] | None
    presence_penalty: float | None
    response_format: Mapping[str, Any] | None
    seed: int | None
    stop: str | list[str] | None
    stream_options: Mapping[str, Any] | None
    temperature: Annotated[float, Field(ge=0)] | None
    tool_choice: str | Mapping[str, Any] | None
    tool_prompt: str | None
    tools: Annotated[Sequence[Mapping[str, Any]], GetPydanticSchema(lambda _, schema_of: schema_of(list[_Tool]))] | None
    top_logprobs: Annotated[int, Field(ge=0)] | None
    top_p: float | None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None
    parallel_tool_calls: bool | None
    reasoning_effort: str | None
    user: str | None


SETTINGS = ParameterTypes({"model": str, **types_of(ChatSettings)}, members=_MEMBERS)


def check_messages(messages: Messages) -> list[dict[str, Any]]:
    """The turns as they are sent. Raises `BadRequest`, which names the member that is wrong."""
    if isinstance(messages, str | bytes) or not isinstance(messages, Sequence):
        raise BadRequest("messages is not a list of messages.", hint=_HINT)
    if not messages:
        raise BadRequest("There is no message.", hint=_HINT)
    turns = [_as_mapping(turn) for turn in messages]
    try:
        _messages.validate_python(turns)
    except ValidationError as error:
        raise BadRequest(f"messages.{describe_problem(error, _MEMBERS)}.", hint=_HINT) from error
    for place, turn in enumerate(turns):
        if turn["role"] != "assistant" and turn.get("content") is None:
            raise BadRequest(f"messages.{place}.content is missing.", hint=_HINT)
    return [_as_sent(turn) for turn in turns]


_messages = TypeAdapter(list[_Message], config=ConfigDict(defer_build=True, hide_input_in_errors=True))
_HINT = 'Valid is for example [{"role": "user", "content": "Hello"}].'


def _as_mapping(turn: Any) -> Any:
    if is_dataclass(turn) and not isinstance(turn, type):
        return asdict(turn)
    if isinstance(turn, BaseModel):
        return turn.model_dump()
    return dict(turn) if isinstance(turn, Mapping) else turn


def _as_sent(turn: dict[str, Any]) -> dict[str, Any]:
    """Without null and empty members, which some engines refuse, and with arguments as text."""
    sent = {
        name: value
        for name, value in turn.items()
        if name in {"role", "content"} or not (value is None or value in ("", [], ()))
    }
    if sent.get("tool_calls"):
        sent["tool_calls"] = [_tool_call_as_sent(call) for call in sent["tool_calls"]]
    return sent


def _tool_call_as_sent(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {name: value for name, value in call["function"].items() if value is not None}
    function["arguments"] = arguments_to_text(function.get("arguments", "{}"))
    named = {name: value for name, value in call.items() if value is not None and name not in {"index", "function"}}
    return {"type": "function"} | named | {"function": function}
