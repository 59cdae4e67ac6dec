"""A replica on a node, as an ASGI application: it takes an order of its plane, runs one worker and passes calls to it.

It knows nothing of Ray. It ends its worker when no plane has asked for it for a while: without one, nobody can call it.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections import deque
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from inference_endpoints_local.api.forwarded_request import ForwardedRequest
from inference_endpoints_local.api.hang_up import HANG_UP
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.engines.engine import REPLICA_HEADER, LaunchRequest
from inference_endpoints_local.engines.process_replica import ProcessReplica
from inference_endpoints_local.engines.programs import ProgramResolver, from_catalogue
from inference_endpoints_local.engines.ray.replica_messages import (
    ORDER,
    ORDER_PATH,
    REPORT,
    REPORT_PATH,
    PrintedLine,
    ReplicaReport,
)
from inference_endpoints_local.engines.serving_engines.commands import with_serving_engines
from inference_endpoints_local.models import weights
from inference_endpoints_local.state.clock import SystemClock
from inference_endpoints_local.state.log_filter import LogRecord
from inference_endpoints_local.state.log_store import MAX_LINES, ReplicaLog

logger = logging.getLogger(__name__)

LEASE_S = 600.0
"""How long a worker runs without a plane that asks for it: it holds memory and CPUs, and nobody can call it."""


RETRY_AFTER_S = 5
"""When a caller may try again whose call reached a replica without its worker."""


class CallFailed(ConnectionError):
    """The worker ended in the middle of a response, so the connection must end too."""


class ReplicaApp:
    """One replica. It gets hashes of the secrets of its callers and of its plane, never those themselves."""

    def __init__(
        self,
        name: str,
        call_sha256: str,
        control_sha256: str,
        *,
        programs: ProgramResolver | None = None,
        cache_dir: Path | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._name = name
        self._call_sha256 = call_sha256
        self._control_sha256 = control_sha256
        self._programs = programs or with_serving_engines(from_catalogue)
        self._cache_dir = cache_dir or weights.default_cache_dir()
        self._lease_s = lease_s
        self._process = secrets.token_hex(8)
        self._clock = SystemClock()
        self._asked = asyncio.Event()
        self._replica: ProcessReplica | None = None
        self._running: asyncio.Task[None] | None = None
        self._lease: asyncio.Task[None] | None = None
        self._lines: deque[PrintedLine] = deque(maxlen=MAX_LINES)
        self._printed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(Request(scope, receive), _marked(send))

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def aclose(self) -> None:
        """End the worker and wait until it has ended."""
        if self._lease is not None:
            self._lease.cancel()
        if self._replica is not None and self._running is not None:
            self._replica.stop(drain=False)
            with suppress(asyncio.CancelledError):
                await self._running
        self._replica = self._running = self._lease = None

    async def _respond(self, request: Request, send: Send) -> None:
        path, sent = _raw_path(request.scope), _hash_of_secret(request)
        if path in (ORDER_PATH.encode(), REPORT_PATH.encode()) and hmac.compare_digest(sent, self._control_sha256):
            answer = await (self._take_order(request) if request.method == "PUT" else self._report(request))
            await answer(request.scope, request.receive, send)
        elif not hmac.compare_digest(sent, self._call_sha256):
            await error_response(401, "401 Unauthorized")(request.scope, request.receive, send)
        elif self._replica is None or self._replica.address is None:
            # The plane notices within seconds that there is no worker, and then lets callers wait.
            again = {"Retry-After": str(RETRY_AFTER_S)}
            await error_response(503, "503 Service Unavailable", again)(request.scope, request.receive, send)
        else:
            query = request.scope["query_string"]
            target = (path or b"/") + (b"?" + query if query else b"")
            await ForwardedRequest(request, _ending_broken(send)).run(self._replica.address, target)

    async def _take_order(self, request: Request) -> Response:
        """Start the worker. Another order than the first is refused: the plane ends this replica and makes another."""
        try:
            order = ORDER.validate_json(await request.body())
        except ValidationError:
            return error_response(422, "The order cannot be read: the plane and this node differ in version")
        if self._replica is None:
            self._start(order)
        elif self._replica.request != order:
            return error_response(409, "This replica has another order")
        return JSONResponse({})

    def _start(self, order: LaunchRequest) -> None:
        self._replica = ProcessReplica(
            id=self._name,
            request=order,
            programs=self._programs,
            clock=self._clock,
            log=ReplicaLog(self._name, None, self._keep_line),
            ledger=_NoLedger(),
            cache_dir=self._cache_dir,
            changed=lambda: None,
        )
        self._running = asyncio.get_running_loop().create_task(self._replica.run())
        self._lease = asyncio.get_running_loop().create_task(self._end_unasked())

    async def _report(self, request: Request) -> Response:
        self._asked.set()
        query = parse_qs(request.url.query)
        after = int(query["after"][0]) if query.get("process") == [self._process] and "after" in query else 0
        first = self._printed - len(self._lines)
        lines = tuple(self._lines)[max(0, after - first) :]
        report = ReplicaReport(process=self._process, has_order=False, next_line=self._printed, lines=lines)
        if (replica := self._replica) is not None:
            state = replica.observe()
            report = ReplicaReport(
                process=self._process,
                has_order=True,
                next_line=self._printed,
                lines=lines,
                stage=state.stage,
                message=state.message,
                ready_s=None if state.ready_at is None else self._clock.now() - state.ready_at,
                error=state.error,
                fatal=state.fatal,
                exit_code=state.exit_code,
                work_s=replica.work_s(),
                memory_bytes=replica.memory_bytes(),
                counters=replica.engine_counters,
            )
        return Response(REPORT.dump_json(report), media_type="application/json")

    def _keep_line(self, entry: LogRecord) -> None:
        self._lines.append(PrintedLine(str(entry["timestamp"]), str(entry["stream"]), str(entry["line"])))
        self._printed += 1

    async def _end_unasked(self) -> None:
        """End the worker once no plane asks any more. A plane that comes back gives the order again."""
        while True:
            self._asked.clear()
            try:
                async with asyncio.timeout(self._lease_s):
                    await self._asked.wait()
            except TimeoutError:
                break
        logger.warning("no control plane has asked for %s for %.0f s: its worker ends", self._name, self._lease_s)
        self._lease = None
        await self.aclose()


class _NoLedger:
    """A worker ends with its parent, and nobody here looks for those of an earlier run."""

    def process_started(self, pid: int, identity: str) -> None:
        pass

    def process_ended(self, pid: int) -> None:
        pass


def _hash_of_secret(request: Request) -> str:
    _, _, secret = request.headers.get("authorization", "").partition(" ")
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _raw_path(scope: Scope) -> bytes:
    """The path below the prefix of the application, as it was sent."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.removeprefix(scope.get("root_path", "").encode())


def _marked(send: Send) -> Send:
    """So that the plane knows a response of ours from one of Ray's proxy."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (REPLICA_HEADER, b"1")]}
        await send(message)

    return send_marked


def _ending_broken(send: Send) -> Send:
    """Ray ends the connection of a response whose application fails."""

    async def send_or_fail(message: Message) -> None:
        if message is HANG_UP:
            raise CallFailed("the worker cut its response off")
        await send(message)

    return send_or_fail
