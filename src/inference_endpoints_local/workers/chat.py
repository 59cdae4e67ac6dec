"""Chat worker: the OpenAI routes and the text-generation task over one GGUF model."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inference_endpoints_local.workers import text_generation
from inference_endpoints_local.workers.engine_metrics import METRICS_PATH
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
        response_format = body.get("response_format")
        if isinstance(response_format, dict) and "value" in response_format:  # TGI's spelling, sent by huggingface_hub
            body["response_format"] = {"type": "json_object", "schema": response_format["value"]}
        return await _openai(request, body, self._llama.chat, "chat.completion")

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`."""
        return await _openai(request, await read_json(request), self._llama.complete, "text_completion")

    async def text_generation(self, request: Request) -> Response:
        """`POST /`: continues `inputs`, without a chat template."""
        body = await read_json(request)
        generation = text_generation.read_request(body)
        chunks = _with_token_counts(request, self._llama.complete(generation.request))
        if body.get("stream"):
            return await _sse(request, text_generation.event_stream(generation, chunks))
        return JSONResponse(
            [text_generation.response_body(generation, await cancel_on_disconnect(request, _collect(chunks)))]
        )

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics.json`: the counters of the engine."""
        return JSONResponse(self._llama.metrics.read())


async def _openai(request: Request, body: dict[str, Any], generate: Generate, kind: str) -> Response:
    chunks = _with_token_counts(request, generate(body))
    if not body.get("stream"):
        return JSONResponse(merge_chunks(await cancel_on_disconnect(request, _collect(chunks)), kind))
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
    return await _sse(request, _without_usage(chunks, with_usage=with_usage), end="[DONE]")


async def _without_usage(chunks: AsyncIterator[Chunk], *, with_usage: bool) -> AsyncIterator[Chunk]:
    """Without the last chunk, which only counts tokens, unless the caller requested it."""
    async for chunk in chunks:
        if chunk["choices"] or with_usage:
            yield chunk


async def _with_token_counts(request: Request, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    async for chunk in chunks:
        if usage := chunk.get("usage"):
            record_tokens(request, prompt=usage["prompt_tokens"], completion=usage["completion_tokens"])
        yield chunk


async def _collect(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in chunks]


async def _sse(request: Request, events: AsyncIterator[dict[str, Any]], end: str = "") -> Response:
    """Server-sent events. It waits for the first one, so that a request refused before it still gets its status."""
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


def merge_chunks(chunks: list[Chunk], kind: str) -> dict[str, Any]:
    """The whole response that the chunks of a stream add up to."""
    response: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.pop("choices"):
            _merge_into(choices.setdefault(choice["index"], {}), choice)
        response |= chunk
    for choice in choices.values():
        if "delta" in choice:
            choice["message"] = choice.pop("delta")
            for call in choice["message"].get("tool_calls", []):
                del call["index"]
    return response | {"object": kind, "choices": [choices[index] for index in sorted(choices)]}


def _merge_into(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Text is appended. Lists are extended, or merge_chunks where their items have an index. The rest is replaced."""
    for name, value in part.items():
        existing = whole.get(name)
        if existing is None:
            whole[name] = value
        elif isinstance(value, str):
            whole[name] = existing + value
        elif isinstance(value, dict):
            _merge_into(existing, value)
        elif isinstance(value, list):
            for item in value:
                same = [old for old in existing if "index" in old and old["index"] == item.get("index")]
                if same:
                    _merge_into(same[0], item)
                else:
                    existing.append(item)
        elif value is not None:
            whole[name] = value


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes."""
    model = ChatModel(Llama(config))
    routes = {
        "/": model.text_generation,
        "/predict": model.text_generation,
        "/v1/chat/completions": model.chat_completions,
        "/v1/completions": model.completions,
    }
    return [
        *(Route(path, handler, methods=["POST"]) for path, handler in routes.items()),
        Route(METRICS_PATH, model.metrics),
    ]


if __name__ == "__main__":
    serve(load)
