"""Chat with an endpoint."""

import asyncio
from functools import partial
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from inference_endpoints.errors import BadRequest, InferenceEndpointError
from inference_endpoints.inference.chat.answer import ChatAccumulator
from inference_endpoints.inference.chat.stream import build_chat_request
from inference_endpoints.transport.operations import CALL_EFFECT
from inference_endpoints_mcp.tools.arguments import (
    CallTimeout,
    EndpointName,
    JsonObject,
    JsonObjects,
    Namespace,
    object_or_text,
)
from inference_endpoints_mcp.tools.call_context import Call, Progress
from inference_endpoints_mcp.tools.inference.bounded_output import fence_output
from inference_endpoints_mcp.tools.inference.chat_output import ChatOutput, answer_fields, describe_end
from inference_endpoints_mcp.tools.inference.continued_call import CallId, continue_call, hold_call
from inference_endpoints_mcp.tools.inference.media_inputs import MediaReader
from inference_endpoints_mcp.tools.inference.streamed_text import StreamedText
from inference_endpoints_mcp.tools.inference.waking import call_summary, find_endpoint, may_wake, report_waking
from inference_endpoints_mcp.tools.outputs import backend_of
from inference_endpoints_mcp.tools.spec import Toolset, tool

CHAT = "chat_with_endpoint"
MESSAGE_SCHEMA = {
    "type": "object",
    "properties": {
        "role": {"type": "string"},
        "content": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "object"}, "description": "Content parts."},
            ]
        },
        "tool_calls": {"type": "array", "items": {"type": "object"}},
        "tool_call_id": {"type": "string"},
    },
    "required": ["role"],
}


@tool(uses=CALL_EFFECT, toolset=Toolset.INFERENCE, title="Chat with an endpoint")
async def chat_with_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    message: Annotated[str, Field(max_length=200_000)] = "",
    messages: Annotated[JsonObjects, WithJsonSchema({"type": "array", "items": MESSAGE_SCHEMA})] = [],  # noqa: B006
    namespace: Namespace = "",
    system: Annotated[str, Field(max_length=50_000)] = "",
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] = 512,
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7,
    parameters: Annotated[JsonObject, object_or_text("As in the OpenAI API: tools, stop, seed, n.")] = {},  # noqa: B006
    timeout_s: CallTimeout = 120,
    call_id: CallId = "",
) -> ChatOutput:
    """Ask a chat model; its text streams as progress. Can wake it."""
    if call_id:
        return await continue_call(call, CHAT, endpoint_name, call_id, ChatOutput)
    given = _conversation(message, messages, system)
    conversation = await MediaReader(call).messages(given)
    settings = _settings(max_tokens, temperature, parameters)
    build_chat_request(conversation, settings)
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    endpoint = await find_endpoint(call, namespace, name)
    permission = await may_wake(call, endpoint, namespace)
    output = partial(
        ChatOutput,
        endpoint_name=endpoint.name,
        namespace=namespace,
        backend=backend_of(endpoint, call.endpoints.backend.name),
    )

    async def chat(progress: Progress) -> ChatOutput:
        accumulator, error = ChatAccumulator(), None
        try:
            await call.inference.chat(
                endpoint.name,
                conversation,
                namespace,
                parameters=settings,
                timeout=timeout_s,
                wake=permission.given,
                on_wait=report_waking(progress, endpoint.name),
                on_delta=StreamedText(progress, call.fence).add,
                accumulator=accumulator,
                known=endpoint,
            )
        except InferenceEndpointError as broken:
            if not accumulator.began:
                raise
            error = broken
        except asyncio.CancelledError:
            if accumulator.began:  # it was paid for, and no answer can be sent any more
                fence_output(call, accumulator.response().text, "the text of a chat that was cancelled", tokens=0)
            raise
        response = accumulator.response()
        summary = call_summary(call, endpoint, response.woke, response.seconds, permission)
        end = describe_end(response, settings.get("max_tokens", settings.get(_NEWER_LIMIT)), error)
        return output(
            **answer_fields(call, response),
            broke_off=f"{error.code}: {error.message}" if error else None,
            now=" ".join(part for part in (summary, end) if part),
        )

    key = (CHAT, namespace, endpoint.name)
    return await hold_call(call, key, [*key, given, settings], chat, output)


def _conversation(message: str, messages: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    if bool(message) == bool(messages):
        raise BadRequest("Give exactly one of message and messages: nothing was sent.")
    turns = messages or [{"role": "user", "content": message}]
    return [{"role": "system", "content": system}, *turns] if system else turns


def _settings(max_tokens: int, temperature: float, parameters: dict[str, Any]) -> dict[str, Any]:
    """All settings by the names of the API. What is given by its name there counts."""
    given = {name: value for name, value in parameters.items() if name not in _OURS}
    limit = {} if _NEWER_LIMIT in given else {"max_tokens": max_tokens}
    return {"temperature": temperature} | limit | given


_NEWER_LIMIT = "max_completion_tokens"
"""The newer name of `max_tokens`."""
_OURS = frozenset({"stream", "stream_options", "messages"})
"""Members of the request that this tool fills in: it always streams."""
