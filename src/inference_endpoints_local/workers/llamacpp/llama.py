"""llama.cpp inside this process, and its text as a stream of OpenAI chunks; only this module knows xllamacpp.

Requests reach it by function call. The HTTP server that it always starts is on loopback, with a discarded key.
"""

import asyncio
import logging
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from starlette.exceptions import HTTPException

from inference_endpoints_local.workers.engine_metrics import EngineMetrics, MeasuredRequest
from inference_endpoints_local.workers.llamacpp.stall_watch import StallWatch
from inference_endpoints_local.workers.worker_server import WorkerConfig

Chunk = dict[str, Any]
OnChunk = Callable[[Chunk], bool]
Handle = Callable[[dict[str, Any], OnChunk], None]

logger = logging.getLogger("worker")

CPU_FEATURES = {"avx2", "fma", "f16c"}
ERRORS_ONLY = 1
STALLED = 70
"""The exit code of a worker whose engine does not come to the end of a token."""

_STREAM_OPTIONS = {
    "stream": True,
    "stream_options": {"include_usage": True},
    # Both for the metrics. Callers see neither, unless they request the timings.
    "timings_per_token": True,
    "return_progress": True,
}


Pools = Literal["as its file says", "mean", "rank"]
"""How the vectors of a text's tokens become one, in an engine that makes vectors or scores and writes no text."""


def start_engine(config: WorkerConfig, pools: Pools | None = None) -> Any:
    """An engine with the model of `config.files`, loaded. Raises RuntimeError if it cannot be."""
    _require_cpu_features()
    import xllamacpp

    options = xllamacpp.CommonParams()
    options.model.path = str(config.files["gguf"])
    if projector := config.files.get("mmproj"):
        options.mmproj.path = str(projector)
    options.model_alias = {config.model}
    # A context for each slot: in a shared one, one long request ends all others.
    options.n_ctx = config.context * config.parallel
    options.n_parallel = config.parallel
    options.kv_unified = False
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = config.threads
    options.cache_ram_mib = 0  # the default caches up to 8 GiB of earlier prompts
    options.hostnames, options.port, options.n_threads_http = ["127.0.0.1"], 0, 1
    options.api_keys = [secrets.token_hex(32)]
    options.ui = False
    options.verbosity = ERRORS_ONLY
    if pools:
        options.embedding = True
        # A text is read in one batch, as each of its tokens sees all others.
        options.n_batch = options.n_ubatch = config.context
    if pools == "mean":
        options.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if pools == "rank":
        options.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    return xllamacpp.Server(options)


class Llama:
    """A loaded GGUF model. Generation runs in as many threads as it has slots. Further requests wait for a slot."""

    def __init__(self, config: WorkerConfig) -> None:
        self._server = start_engine(config)
        self._threads = ThreadPoolExecutor(config.parallel, thread_name_prefix="generate")
        self.metrics = EngineMetrics(kv_cache_tokens=config.context * config.parallel)
        self._watch = StallWatch(_exit_stalled, config.stall_s)

    def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """The chunks of a chat completion, with the token counts. Raises HTTPException for a bad body."""
        return self._stream(self._server.handle_chat_completions, body)

    def complete(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """The chunks of a text completion, with the token counts. Raises HTTPException for a bad body."""
        return self._stream(self._server.handle_completions, body)

    async def _stream(self, handle: Handle, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """Always streams, whatever the caller requested: a generation can be cancelled only between chunks."""
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        cancelled = threading.Event()
        measured = self.metrics.begin()
        with_timings = bool(body.get("timings_per_token"))

        def receive(chunk: Chunk | None, at: float) -> None:
            if chunk is None:
                self.metrics.end(measured)
            elif not _measure(measured, chunk, at, with_timings=with_timings):
                return
            chunks.put_nowait(chunk)

        def put(chunk: Chunk | None) -> bool:
            loop.call_soon_threadsafe(receive, chunk, time.monotonic())
            return cancelled.is_set()

        def generate() -> None:
            try:
                self._generate(handle, body | _STREAM_OPTIONS, put)
            except Exception as error:
                code = HTTPStatus.BAD_REQUEST if isinstance(error, ValueError) else HTTPStatus.INTERNAL_SERVER_ERROR
                put({"error": {"code": code, "message": str(error)}})
            finally:
                put(None)

        running = self._threads.submit(generate)
        try:
            while (chunk := await chunks.get()) is not None:
                if error := chunk.get("error"):
                    raise HTTPException(error["code"], error["message"])
                yield chunk
        finally:
            cancelled.set()
            if running.cancel():
                self.metrics.end(measured)

    def _generate(self, handle: Handle, body: dict[str, Any], put: OnChunk) -> None:
        request = object()

        def receive(chunk: Chunk) -> bool:
            self._watch.note(request, is_writing=_prompt_is_read(chunk))
            return put(chunk)

        self._watch.note(request, is_writing=False)
        try:
            handle(body, receive)
        finally:
            self._watch.end(request)


def _measure(measured: MeasuredRequest, chunk: Chunk, at: float, *, with_timings: bool) -> bool:
    """Count what a chunk reports. Returns whether it is for the caller: one that reports progress of a prompt is not.

    The last chunk of a response has timings whether the caller requested them or not.
    """
    timings = chunk.get("timings")
    if timings and (choices := chunk.get("choices")):
        measured.progressed(choices[0]["index"], timings, at)
    if not with_timings and "usage" not in chunk:
        chunk.pop("timings", None)
    return "prompt_progress" not in chunk


def _prompt_is_read(chunk: Chunk) -> bool:
    progress = chunk.get("prompt_progress")
    return not progress or progress["processed"] >= progress["total"]


def _exit_stalled() -> None:
    logger.error("the engine does not come to the end of a token: the grammar of a request has too many choices")
    os._exit(STALLED)


def _require_cpu_features() -> None:
    """Raises RuntimeError on an older x86 processor, which would kill the process without a message."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    if missing := CPU_FEATURES - set(flags.split()):
        raise RuntimeError(f"this processor lacks {', '.join(sorted(missing))}, which this build of llama.cpp needs")
