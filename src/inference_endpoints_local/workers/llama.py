"""llama.cpp inside this process, as an asynchronous stream of OpenAI chunks; the only module that knows xllamacpp.

Its requests go in by function call. The HTTP server it always starts as well is on loopback behind a key nobody has.
"""

import asyncio
import platform
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from inference_endpoints_local.workers.worker_server import WorkerConfig

Chunk = dict[str, Any]
OnChunk = Callable[[Chunk], bool]

CPU_FEATURES = {"avx2", "fma", "f16c"}
ERRORS_ONLY = 1


class Llama:
    """A loaded GGUF model. Generation runs in as many threads as it has slots; further requests wait their turn."""

    def __init__(self, config: WorkerConfig) -> None:
        _require_cpu_features()
        import xllamacpp

        options = xllamacpp.CommonParams()
        options.model.path = str(config.files["gguf"])
        options.model_alias = {config.model}
        # Slots of their own: in a shared context one long request ends all others.
        options.n_ctx = config.context * config.parallel
        options.n_parallel = config.parallel
        options.kv_unified = False
        options.cpuparams.n_threads = options.cpuparams_batch.n_threads = config.threads
        options.cache_ram_mib = 0  # by default it keeps up to 8 GiB of former prompts
        options.hostnames, options.port, options.n_threads_http = ["127.0.0.1"], 0, 1
        options.api_keys = [secrets.token_hex(32)]
        options.ui = False
        options.verbosity = ERRORS_ONLY
        self._server = xllamacpp.Server(options)
        self._threads = ThreadPoolExecutor(config.parallel, thread_name_prefix="generate")

    def chat(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        """Chunks of a chat completion, the token counts among them. Raises HTTPException for a bad body."""
        return self._stream(self._server.handle_chat_completions, body)

    def complete(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        """Chunks of a text completion, the token counts among them. Raises HTTPException for a bad body."""
        return self._stream(self._server.handle_completions, body)

    async def _stream(
        self, handle: Callable[[dict[str, Any], OnChunk], None], body: dict[str, Any]
    ) -> AsyncIterator[Chunk]:
        """Always streams, whatever the caller asked for: only between chunks can a generation be cancelled."""
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        left = threading.Event()

        def put(chunk: Chunk | None) -> bool:
            loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            return left.is_set()

        def generate() -> None:
            try:
                handle(body | {"stream": True, "stream_options": {"include_usage": True}}, put)
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
            left.set()
            running.cancel()


def _require_cpu_features() -> None:
    """The x86 build has no fallback: an older processor would kill the process without a word."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    if missing := CPU_FEATURES - set(flags.split()):
        raise RuntimeError(f"this processor lacks {', '.join(sorted(missing))}, which llama.cpp was built for")
