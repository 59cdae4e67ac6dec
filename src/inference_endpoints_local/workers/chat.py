"""Chat worker: the OpenAI routes and the text-generation task over one GGUF model."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inference_endpoints_local.workers import text_generation
from inference_endpoints_local.workers.llama import Chunk, Llama
from inference_endpoints_local.workers.worker_http import cancel_on_disconnect, error_body, read_json, record_tokens
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

Generate = Callable[[dict[str, Any]], AsyncIterator[Chunk]]


class ChatModel:
    """The routes of the worker."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama

    async def chat_completions(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        body = await read_json(request)
        wanted = body.get("response_format")
        if isinstance(wanted, dict) and "value" in wanted:  # TGI's spelling, which huggingface_hub sends
            body["response_format"] = {"type": "json_object", "schema": wanted["value"]}
        return await _openai(request, body, self._llama.chat, "chat.completion")

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`."""
        return await _openai(request, await read_json(request), self._llama.complete, "text_completion")

    async def text_generation(self, request: Request) -> Response:
        """`POST /`: continues `inputs`, which is not put into a chat template."""
        body = await read_json(request)
        wanted = text_generation.read_request(body)
        chunks = _noting(request, self._llama.complete(wanted.request))
        if body.get("stream"):
            return await _sse(request, text_generation.event_stream(wanted, chunks))
        return JSONResponse([text_generation.full_answer(wanted, await cancel_on_disconnect(request, _all(chunks)))])


async def _openai(request: Request, body: dict[str, Any], generate: Generate, kind: str) -> Response:
    chunks = _noting(request, generate(body))
    if not body.get("stream"):
        return JSONResponse(merged(await cancel_on_disconnect(request, _all(chunks)), kind))
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
    return await _sse(request, _as_asked(chunks, with_usage=with_usage), end="[DONE]")


async def _as_asked(chunks: AsyncIterator[Chunk], *, with_usage: bool) -> AsyncIterator[Chunk]:
    """Without the closing chunk that only counts tokens, unless the caller asked for it."""
    async for chunk in chunks:
        if chunk["choices"] or with_usage:
            yield chunk


async def _noting(request: Request, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    async for chunk in chunks:
        if usage := chunk.get("usage"):
            record_tokens(request, prompt=usage["prompt_tokens"], completion=usage["completion_tokens"])
        yield chunk


async def _all(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in chunks]


async def _sse(request: Request, events: AsyncIterator[dict[str, Any]], end: str = "") -> Response:
    """Server-sent events, once the first one is there: a request refused before it still gets its status."""
    first = await cancel_on_disconnect(request, anext(events))

    async def lines() -> AsyncIterator[str]:
        yield _data(first)
        try:
            async for event in events:
                yield _data(event)
        except HTTPException as error:
            yield _data(error_body(request.url.path, error.status_code, error.detail))
            return
        if end:
            yield f"data: {end}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def _data(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


def merged(chunks: list[Chunk], kind: str) -> dict[str, Any]:
    """The one answer that a stream of chunks adds up to."""
    answer: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.pop("choices"):
            _add(choices.setdefault(choice["index"], {}), choice)
        answer |= chunk
    for choice in choices.values():
        if "delta" in choice:
            choice["message"] = choice.pop("delta")
            for call in choice["message"].get("tool_calls", []):
                del call["index"]
    return answer | {"object": kind, "choices": [choices[index] for index in sorted(choices)]}


def _add(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Text is appended, lists are extended, or merged where their items carry an index; the rest is replaced."""
    for name, value in part.items():
        known = whole.get(name)
        if known is None:
            whole[name] = value
        elif isinstance(value, str):
            whole[name] = known + value
        elif isinstance(value, dict):
            _add(known, value)
        elif isinstance(value, list):
            for item in value:
                same = [old for old in known if "index" in old and old["index"] == item.get("index")]
                if same:
                    _add(same[0], item)
                else:
                    known.append(item)
        elif value is not None:
            whole[name] = value


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and say what it answers to."""
    model = ChatModel(Llama(config))
    routes = {
        "/": model.text_generation,
        "/predict": model.text_generation,
        "/v1/chat/completions": model.chat_completions,
        "/v1/completions": model.completions,
    }
    return [Route(path, handler, methods=["POST"]) for path, handler in routes.items()]


if __name__ == "__main__":
    serve(load)
