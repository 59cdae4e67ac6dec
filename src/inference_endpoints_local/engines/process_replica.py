"""The life of one worker process, from fetching its weights to its end.

A worker reads one JSON line from stdin (its configuration), writes one to stdout (the port it listens on), logs to
stderr, and ends when its stdin closes: it cannot outlive the plane.
"""

import asyncio
import json
import logging
import secrets
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from inference_endpoints_local import loopback
from inference_endpoints_local.engines.child_process import (
    cpu_seconds,
    end_process,
    process_identity,
    read_line,
    resident_bytes,
    spawn,
    worker_environment,
)
from inference_endpoints_local.engines.engine import CannotRun, LaunchRequest, ReplicaStage, ReplicaState, WorkerAddress
from inference_endpoints_local.engines.engine_counters import EngineCounters
from inference_endpoints_local.engines.meters import EngineMeter
from inference_endpoints_local.engines.programs import Program, ProgramResolver, find_in_time
from inference_endpoints_local.engines.worker_proxy import WorkerFailed, get_status
from inference_endpoints_local.models.artifacts import FetchProgress, WeightsError
from inference_endpoints_local.models.local_model import WorkerFiles
from inference_endpoints_local.models.model_files import ModelFile
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.log_store import ReplicaLog
from inference_endpoints_local.state.record import instance_size
from inference_endpoints_local.state.store import NotSaved

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 30.0
"""How long a replica that is replaced or surplus may finish its requests."""
OUTPUT_TIMEOUT_S = 5.0
"""How long to read what an ended worker wrote: a child of it may hold its streams open."""
HEALTH_CHECK_INTERVAL_S = 5.0
MAX_UNANSWERED_CHECKS = 12
"""Consecutive health checks without an answer, each for some seconds, after which a ready worker counts as hung.

Counted rather than timed: after a machine slept or the plane was blocked, a worker does not count as hung.
"""


class ReplicaFailed(Exception):
    """A replica cannot start, or has ended by itself. `fatal`: another attempt would fail too."""

    def __init__(self, message: str, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


class ProcessLedger(Protocol):
    """Records which processes run, so that those of a killed plane can be ended."""

    def process_started(self, pid: int, identity: str) -> None: ...

    def process_ended(self, pid: int) -> None: ...


@dataclass
class ProcessReplica:
    """One worker process, from fetching its weights to its end."""

    id: str
    request: LaunchRequest
    programs: ProgramResolver
    clock: Clock
    log: ReplicaLog
    ledger: ProcessLedger
    cache_dir: Path
    changed: Callable[[], None]
    launched_ns: int = field(default_factory=wall_ns)
    in_flight: int = 0
    address: WorkerAddress | None = None
    engine_counters: EngineCounters | None = None
    _state: ReplicaState = field(default_factory=lambda: ReplicaState(ReplicaStage.STARTING, "Starting"))
    pid: int | None = None
    _exit_code: int | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _draining: bool = False
    _has_children: bool = False

    @property
    def generation(self) -> int:
        return self.request.generation

    @property
    def threads(self) -> int:
        return instance_size(self.request.spec)

    def observe(self) -> ReplicaState:
        return self._state

    def work_s(self) -> float | None:
        if self._has_children:
            return None  # its work is that of accelerators, which nothing here measures
        taken = cpu_seconds(self.pid) if self.pid else None
        return None if taken is None else taken / self.threads

    def memory_bytes(self) -> int | None:
        return resident_bytes(self.pid, children=self._has_children) if self.pid else None

    def accelerator_percent(self) -> Sequence[float]:
        return ()

    def stop(self, drain: bool) -> None:
        self._draining = drain
        self._stop.set()
        self._set_stage(ReplicaStage.STOPPING, "Stopping")

    async def run(self) -> None:
        """Run from start to end. Whatever happens, it ends as EXITED and leaves no process."""
        error, fatal = "", False
        started = asyncio.create_task(self._run_worker())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set() and self._draining:
                await self._wait_for_requests(started)
        finally:
            stopped.cancel()
            started.cancel()
            try:
                await started
            except asyncio.CancelledError:
                pass
            except ReplicaFailed as failure:
                error, fatal = str(failure), failure.fatal
            except Exception as failure:
                logger.exception("replica %s", self.id)
                error = f"{type(failure).__name__}: {failure}"
            self.address = None
            self._state = replace(
                self._state,
                stage=ReplicaStage.EXITED,
                ended_at=self.clock.now(),
                error="" if self._stop.is_set() else error,
                fatal=fatal,
                exit_code=self._exit_code,
            )
            self.changed()

    async def _wait_for_requests(self, running: "asyncio.Task[None]") -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                # The gateway counts in_flight and signals nothing.
                while self._draining and self.in_flight and not running.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    async def _run_worker(self) -> None:
        """Start the worker and wait until it ends by itself, which is always a failure. Raises ReplicaFailed."""
        program = await self._find_program()
        weights = await self._fetch_weights(program)
        secret = secrets.token_urlsafe(24)
        process = await self._spawn(program, weights)
        readers: list[asyncio.Task[None]] = []
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            readers.append(asyncio.create_task(self._copy_to_log(process.stderr, "stderr", secret)))
            self._set_stage(ReplicaStage.STARTING, "Loading the model")
            self._send_config(process, program, weights, secret)
            try:
                async with asyncio.timeout(program.load_timeout_s):
                    port = await self._read_port(process.stdout)
                    address = WorkerAddress(loopback.HOST, port, secret)
                    readers.append(asyncio.create_task(self._copy_to_log(process.stdout, "stdout", secret)))
                    await (self._wait_until_healthy(process, address) if port else process.wait())
            except TimeoutError:
                raise self._failure(f"The worker was not healthy after {program.load_timeout_s:.0f} s.") from None
            if process.returncode is None:
                self.address, self.pid, self._has_children = address, process.pid, program.has_children
                self._set_stage(ReplicaStage.READY, "Endpoint is ready", ready_at=self.clock.now())
                await self._monitor_health(process, address, program.meter())
            await self._raise_exit_error(process, readers)
        finally:
            await end_process(process)
            code = process.returncode
            self._exit_code = 128 - code if code is not None and code < 0 else code
            for reader in readers:
                reader.cancel()
            self._record_in_ledger(self.ledger.process_ended, process.pid)

    async def _find_program(self) -> Program:
        """What ran before may not be allowed any more, or its file be gone."""
        try:
            return await find_in_time(self.programs, self.request.spec)
        except CannotRun as error:
            self.log.add(str(error))
            raise ReplicaFailed(str(error), fatal=True) from error

    async def _fetch_weights(self, program: Program) -> WorkerFiles:
        """Fetch the weights in a thread. A stop ends the fetch at its next progress report."""
        loop = asyncio.get_running_loop()

        def on_progress(progress: FetchProgress) -> None:
            if self._stop.is_set():
                raise WeightsError("The replica was stopped.")
            done, total = progress.done // 1_000_000, -(-progress.total // 1_000_000)
            loop.call_soon_threadsafe(
                self._set_stage, ReplicaStage.DOWNLOADING, f"Fetching weights ({done} of {total} MB)"
            )

        try:
            return await asyncio.to_thread(program.files, self.cache_dir, on_progress)
        except WeightsError as error:
            self.log.add(str(error))
            raise ReplicaFailed(str(error), fatal=True) from error

    async def _spawn(self, program: Program, weights: WorkerFiles) -> Process:
        """Start the process and record it. It inherits the files that are open."""
        environment = worker_environment(self.request.spec, program.variables, program.node_variables)
        opened = [file for file in weights.values() if isinstance(file, ModelFile)]
        try:
            process = await spawn(program.command, environment, [file.descriptor for file in opened])
        except OSError as error:
            raise ReplicaFailed(f"The worker could not be started: {error}") from error
        finally:
            for file in opened:
                file.close()
        if identity := process_identity(process.pid):
            self._record_in_ledger(self.ledger.process_started, process.pid, identity)
        return process

    def _record_in_ledger(self, write: Callable[..., None], *facts: Any) -> None:
        try:
            write(*facts)
        except NotSaved as error:
            # No reason to fail: a worker ends with the plane even if it is not recorded.
            logger.warning("%s", error)

    def _send_config(self, process: Process, program: Program, weights: WorkerFiles, secret: str) -> None:
        model = self.request.spec["model"]
        settings = next(iter(model["image"].values()))
        config = {
            "endpoint": self.request.endpoint,
            "model": model["repository"],
            "task": program.task,
            "files": {role: _path_in_worker(file) for role, file in weights.items()},
            "secret": secret,
            "threads": self.threads,
            "context": settings.get("ctxSize") or 4096,
            "parallel": settings.get("nParallel") or 2,
            **program.settings,
        }
        assert process.stdin
        process.stdin.write(json.dumps(config).encode() + b"\n")

    async def _read_port(self, stdout: asyncio.StreamReader) -> int:
        """The port, from the first line that contains one. Other lines are logged. 0 if the worker is ending."""
        while line := await read_line(stdout):
            try:
                return int(json.loads(line)["port"])
            except (ValueError, TypeError, KeyError):
                self.log.add(line, "stdout")
        return 0

    async def _wait_until_healthy(self, process: Process, address: WorkerAddress) -> None:
        """Return once the worker is healthy or has ended. Unexpected statuses are logged, each once."""
        delay, reported = 0.02, {200, 503}
        while process.returncode is None:
            try:
                if (status := await get_status(address, "/health")) == 200:
                    return
                if status not in reported:
                    reported.add(status)
                    self.log.add(f"Readiness probe failed: HTTP probe failed with statuscode: {status}")
            except WorkerFailed:
                pass  # not listening yet
            await asyncio.sleep(delay)
            delay = min(0.25, delay * 1.5)

    async def _monitor_health(self, process: Process, address: WorkerAddress, meter: EngineMeter) -> None:
        """Return once the worker has ended. Raises ReplicaFailed if it runs but no longer answers."""
        unanswered = 0
        while process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_CHECK_INTERVAL_S):
                    await process.wait()
                    return
            try:
                await get_status(address, "/health")
                unanswered = 0
                self.engine_counters = await meter.read(address) or self.engine_counters
            except WorkerFailed:
                unanswered += 1
            if unanswered >= MAX_UNANSWERED_CHECKS and process.returncode is None:
                self.log.add(f"The worker left {MAX_UNANSWERED_CHECKS} health checks unanswered and is terminated")
                raise self._failure(f"The worker hangs: it answered none of {MAX_UNANSWERED_CHECKS} health checks.")

    async def _raise_exit_error(self, process: Process, readers: "list[asyncio.Task[None]]") -> None:
        await asyncio.wait(readers, timeout=OUTPUT_TIMEOUT_S)
        code = process.returncode
        how = f"was killed by signal {-code}" if code and code < 0 else f"exited with code {code}"
        raise self._failure(f"{self.log.failure_cause()}\nThe worker {how}.".strip())

    def _failure(self, message: str) -> ReplicaFailed:
        return ReplicaFailed(f"{message}\n{self.log.last_lines()}".strip())

    async def _copy_to_log(self, stream: asyncio.StreamReader, name: str, secret: str) -> None:
        while line := await read_line(stream):
            self.log.add(line.replace(secret, "***"), name)  # some programs print their arguments

    def _set_stage(self, stage: ReplicaStage, message: str, ready_at: float | None = None) -> None:
        if self._state.stage in (ReplicaStage.STOPPING, ReplicaStage.EXITED):
            return
        self._state = ReplicaState(stage, message, ready_at=ready_at or self._state.ready_at)
        self.changed()


def _path_in_worker(file: Path | ModelFile) -> str:
    return str(file.path if isinstance(file, ModelFile) else file)
