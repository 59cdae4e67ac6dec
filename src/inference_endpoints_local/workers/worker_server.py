"""The worker process around a model: handshake at start, secret, health route, log. It ends with the plane.

A worker reads one JSON line from stdin and writes one JSON line to stdout, `{"port": N}`, as soon as it listens on
loopback. The model loads after that. stdin stays open: when it closes, the plane has ended and the worker ends too.
"""

import asyncio
import hmac
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from inference_endpoints_local import loopback
from inference_endpoints_local.confinement import confine
from inference_endpoints_local.parent_death import end_with_parent
from inference_endpoints_local.workers.engine_metrics import METRICS_PATH
from inference_endpoints_local.workers.worker_http import error_response, model_app

logger = logging.getLogger("worker")

BACKLOG = 128
SHUTDOWN_TIMEOUT_S = 5
KEEP_ALIVE_TIMEOUT_S = 75  # longer than clients keep idle connections, so that none is reused while it closes


@dataclass(frozen=True)
class WorkerConfig:
    """The configuration on stdin. Each of `parallel` requests at a time has a context of `context` tokens.

    `confined` may be false only where a developer measures a worker, which then has to write a file. After
    `stall_s` without a token a language model's worker ends, see `llamacpp.stall_watch`.
    """

    endpoint: str
    model: str
    task: str
    files: dict[str, Path]
    secret: str = field(repr=False)
    threads: int = 1
    context: int = 4096
    parallel: int = 2
    confined: bool = True
    stall_s: float = 60.0

    @classmethod
    def read(cls, line: bytes) -> "WorkerConfig":
        """Raises ValueError, TypeError or KeyError for anything but a complete configuration."""
        fields = json.loads(line)
        files = {role: Path(path) for role, path in fields.pop("files").items()}
        config = cls(files=files, **fields)
        if not config.secret:
            raise ValueError("the secret is empty")
        return config


LoadModel = Callable[[WorkerConfig], Sequence[Route]]


def serve(load: LoadModel) -> NoReturn:
    """Run one worker. `load` blocks until the model is loaded and returns its routes.

    Exits with 0 on SIGTERM or when stdin closes, 1 if the model cannot be loaded, 2 for a bad first line.
    """
    _log_to_stderr()
    end_with_parent()  # while an engine holds the GIL, it is not seen that stdin closes
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    config = _read_config()
    # Set before `load`: the engines' thread pools read them on import.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(config.threads)
    listener = loopback.listen(backlog=BACKLOG)
    if config.confined:  # before there is a second thread, and before anything reads the weights
        logger.info("%s", confine(config.files.values()))
    _announce_port(listener.getsockname()[1])
    threading.Thread(target=_exit_when_stdin_closes, daemon=True).start()
    app = WorkerApp(config)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        )
    )
    threading.Thread(target=_load_into, args=(app, load, server), daemon=True).start()
    asyncio.run(server.serve(sockets=[listener]))
    if app.load_failed:
        sys.exit(1)  # not at once: llama.cpp writes its last lines, which name the cause, when the process ends
    os._exit(0)


class WorkerApp:
    """The ASGI application around the model: health needs no secret; all other routes need it, and a loaded model."""

    def __init__(self, config: WorkerConfig) -> None:
        self.config = config
        self.model: Starlette | None = None
        self.load_failed = False
        self._bearer = f"Bearer {config.secret}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and scope["path"] == "/health":
            health = JSONResponse({"status": "ok"}) if self.model else _loading(scope)
            await health(scope, receive, send)
        elif not hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._bearer):
            refusal = error_response(scope["path"], HTTPStatus.UNAUTHORIZED, "Missing or wrong bearer token")
            await refusal(scope, receive, send)
        elif self.model is None:
            await _loading(scope)(scope, receive, send)
        elif scope["path"] == METRICS_PATH:
            await self.model(scope, receive, send)  # read every few seconds, so not logged
        else:
            await self._respond(self.model, scope, receive, send)

    async def _respond(self, model: Starlette, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the model respond, and log one line with the number of tokens and the time, never with the content."""
        started, status = time.perf_counter(), 499
        scope["state"] = state = {"tokens": ""}

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await model(scope, receive, send_and_record_status)
        except Exception as error:  # a 500 was sent already; its message may quote the prompt
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("failed with %s in %s:%s", type(error).__name__, Path(place.filename).name, place.lineno)
        finally:
            # The raw path is percent-encoded, so it cannot forge a log line.
            path = scope["raw_path"].decode("ascii", "replace")[:80]
            elapsed_ms = round((time.perf_counter() - started) * 1000)
            logger.info(
                "%s %s %s %d in %d ms%s", self.config.task, scope["method"], path, status, elapsed_ms, state["tokens"]
            )


def _loading(scope: Scope) -> JSONResponse:
    return error_response(scope["path"], HTTPStatus.SERVICE_UNAVAILABLE, "Model is loading")


def _load_into(app: WorkerApp, load: LoadModel, server: uvicorn.Server) -> None:
    config, started = app.config, time.perf_counter()
    logger.info("loading %s for %s", config.model, config.task)
    try:
        app.model = model_app(config.model, load(config))
    except BaseException as error:  # whatever the error, a worker without a model must end
        logger.error("cannot load %s: %s: %s", config.model, type(error).__name__, " ".join(str(error).split()))
        app.load_failed = server.should_exit = True
        return
    logger.info("ready in %.2f s", time.perf_counter() - started)


def _read_config() -> WorkerConfig:
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    try:
        return WorkerConfig.read(line)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Not the message: it may quote the secret.
        logger.error("the first line on stdin is not a worker configuration (%s)", type(error).__name__)
        os._exit(2)


def _announce_port(port: int) -> None:
    """Write the port to stdout, then redirect stdout to stderr so that no engine can write to it."""
    print(json.dumps({"port": port}), flush=True)  # noqa: T201
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _exit_when_stdin_closes() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _log_to_stderr() -> None:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logger.setLevel(logging.INFO)
