"""Chat worker: the OpenAI routes and the text-generation task over one GGUF model."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inference_endpoints_local.workers.engine_metrics import METRICS_PATH
from inference_endpoints_local.workers.llamacpp import image_prompt, text_generation
from inference_endpoints_local.workers.llamacpp.choices import (
    Chunk,
    Generate,
    as_chat,
    bodies_of_choices,
    merge_chunks,
    stream_choices,
)
from inference_endpoints_local.workers.llamacpp.llama import Llama
from inference_endpoints_local.workers.llamacpp.openai_requests import chat_request, completion_request
from inference_endpoints_local.workers.llamacpp.tool_calls import as_calls, require_call, text_where_no_call
from inference_endpoints_local.workers.worker_http import (
    cancel_on_disconnect,
    error_body,
    malformed,
    read_json,
    record_tokens,
    unprocessable,
)
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

SEEING = "image-text-to-text"


class ChatModel:
    """The routes of the worker."""

    def __init__(self, llama: Llama, *, sees_images: bool) -> None:
        self._llama = llama
        self._sees_images = sees_images
        self._takes_tools: bool | None = None

    async def chat_completions(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        body = chat_request(await read_json(request), sees_images=self._sees_images)
        if "tools" in body and not await self._tools_are_read(body):
            raise unprocessable("The chat template of this model has no place for `tools`: leave them out", "tools")
        is_required = body.get("tool_choice") == "required"
        generate = text_where_no_call(self._llama.chat) if "tools" in body else self._llama.chat
        if is_required:
            body, generate = require_call(body), self._llama.chat
        chunks = as_chat(_chunks(generate, body))
        try:
            return await _openai(request, body, as_calls(chunks) if is_required else chunks, "chat.completion")
        except HTTPException as error:
            if "grammar" in body and "parse grammar" in error.detail:
                raise malformed(
                    "`response_format` or `grammar` is not a grammar in GBNF, or more than the engine can read",
                    "response_format",
                ) from error
            raise

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`."""
        body = completion_request(await read_json(request))
        return await _openai(request, body, _chunks(self._llama.complete, body), "text_completion")

    async def _tools_are_read(self, body: dict[str, Any]) -> bool:
        """Whether the model's template writes tools into the prompt. Found out once, by the length of two prompts."""
        if self._takes_tools is None:
            short: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            try:
                lengths = [
                    await self._prompt_tokens(short),
                    await self._prompt_tokens(short | {"tools": body["tools"]}),
                ]
            except HTTPException:
                lengths = [0, 0]
            self._takes_tools = lengths[0] != lengths[1]
        return self._takes_tools

    async def _prompt_tokens(self, body: dict[str, Any]) -> int:
        chunks = [chunk async for chunk in self._llama.chat(body)]
        return next(int(chunk["usage"]["prompt_tokens"]) for chunk in chunks if chunk.get("usage"))

    async def text_generation(self, request: Request) -> Response:
        """`POST /`: continues `inputs`, without a chat template."""
        body = await read_json(request)
        generation = text_generation.read_request(body)
        chunks = _with_token_counts(request, self._llama.complete(generation.request))
        try:
            if body.get("stream"):
                return await _sse(request, text_generation.event_stream(generation, chunks))
            collected = await cancel_on_disconnect(request, _collect(chunks))
        except HTTPException as error:
            if "parse grammar" in error.detail:
                raise unprocessable("`parameters.grammar` is more than the engine can read") from error
            raise
        return JSONResponse([text_generation.response_body(generation, collected)])

    async def image_text_to_text(self, request: Request) -> Response:
        """`POST /` of an endpoint for images: the answer to a text, with or without an image."""
        body = image_prompt.read_request(await read_json(request))
        chunks = _with_token_counts(request, as_chat(_chunks(self._llama.chat, body)))
        answer = merge_chunks(await cancel_on_disconnect(request, _collect(chunks)), "chat.completion")
        return JSONResponse([{"generated_text": answer["choices"][0]["message"]["content"]}])

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics.json`: the counters of the engine."""
        return JSONResponse(self._llama.metrics.read())


def _chunks(generate: Generate, body: dict[str, Any]) -> AsyncIterator[Chunk]:
    return stream_choices(generate, bodies_of_choices(body), body.get("n", 1))


async def _openai(request: Request, body: dict[str, Any], chunks: AsyncIterator[Chunk], kind: str) -> Response:
    chunks = _with_token_counts(request, chunks)
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


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes."""
    model = ChatModel(Llama(config), sees_images="mmproj" in config.files)
    task = model.image_text_to_text if config.task == SEEING else model.text_generation
    routes = {
        "/": task,
        "/predict": task,
        "/v1/chat/completions": model.chat_completions,
        "/v1/completions": model.completions,
    }
    return [
        *(Route(path, handler, methods=["POST"]) for path, handler in routes.items()),
        Route(METRICS_PATH, model.metrics),
    ]


if __name__ == "__main__":
    serve(load)
