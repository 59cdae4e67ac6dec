"""A data folder, the real plane that serves it, and what can be done to both from outside."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from tests.support.driver import Answer, RawClient

from inference_endpoints_local.daemon.connect import Connection, connect

ROOT = Path(__file__).parents[2]
MARK = "CRASH_TEST_FOLDER"
"""In the environment of every worker of a folder, so that none can hide."""
WITHIN_S = 30.0


class Site:
    """One data folder under `path`. Start, break, start again."""

    def __init__(self, path: Path) -> None:
        self.data_dir = path / "data"
        self._log = path / "daemon.log"
        self._daemon: subprocess.Popen[str] | None = None
        self.plane: Connection | None = None

    def spawn(self) -> None:
        """Begin to start a plane."""
        command = [sys.executable, "-m", "inference_endpoints_local.daemon", f"--data-dir={self.data_dir}"]
        command += ["--namespace=acme", "--simulated", "--simulated-speed=2000", "--foreground", "--json"]
        command += ["--programs=tests.support.driver:tiny_programs"]
        with self._log.open("a") as log:
            self._daemon = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    async def up(self) -> Connection:
        """The plane, once it serves; it has the address and the token of the one before."""
        assert self._daemon is not None
        assert self._daemon.stdout is not None
        said = await asyncio.to_thread(self._daemon.stdout.readline)
        assert said, f"the plane did not start:\n{self._log.read_text()[-2_000:]}"
        plane = await connect(self.data_dir)
        assert (plane.url, plane.pid) == (json.loads(said)["url"], self._daemon.pid)
        if self.plane is not None:
            assert (plane.url, plane.token) == (self.plane.url, self.plane.token)
        self.plane = plane
        return plane

    def kill_plane(self) -> None:
        """End the plane at once, whatever it does."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.communicate()
            self._daemon = None

    def workers(self) -> list[psutil.Process]:
        """Every worker of this folder, whoever its parent is."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def kill_worker(self, which: int) -> None:
        """End one of the workers, if there are any."""
        self._signal(which, self.workers(), signal.SIGKILL)

    def stop_worker(self, which: int) -> None:
        """Let one of the workers neither see that its plane is gone nor end when it is asked to.

        One the plane has noted: between fork and note nobody but a debugger stops a process.
        """
        with self._store() as db:
            noted = {pid for (pid,) in db.execute("SELECT pid FROM process")}
        self._signal(which, [worker for worker in self.workers() if worker.pid in noted], signal.SIGSTOP)

    def children(self) -> tuple[int, int]:
        """How many workers there are, and how many of them are the plane's own."""
        assert self.plane is not None
        parents = []
        for worker in self.workers():
            try:
                parents.append(worker.ppid())
            except psutil.NoSuchProcess:
                continue
        return len(parents), parents.count(self.plane.pid)

    def stored(self) -> set[str]:
        """The names of the endpoints in the store, which must be whole."""
        with self._store() as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return {name for (name,) in db.execute("SELECT name FROM endpoint")}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Raises OSError or HTTPException if there is no answer."""
        assert self.plane is not None
        driver = RawClient(self.plane.url)
        return await driver.call(method, path, body, token=self.plane.token, **headers)

    def __str__(self) -> str:
        """What there is, for whoever looks into a failure."""
        workers = [worker.as_dict(["pid", "ppid", "status", "create_time"]) for worker in self.workers()]
        return f"{self.data_dir}, plane {self.plane and self.plane.pid}, workers {workers}"

    def clear(self) -> None:
        self.kill_plane()
        for worker in self.workers():
            worker.kill()

    def _store(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(f"file:{self.data_dir / 'plane.sqlite3'}?mode=ro", uri=True))

    def _signal(self, which: int, workers: list[psutil.Process], number: signal.Signals) -> None:
        if workers:
            with suppress(psutil.NoSuchProcess):
                workers[which % len(workers)].send_signal(number)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            # Only of Python's: reading an environment costs, and there is no other worker here.
            return "python" in process.name() and process.environ().get(MARK) == str(self.data_dir)
        except psutil.Error:
            return False


async def eventually(is_so: Callable[[], Any], what: str) -> None:
    """Wait until something is so, which may be told by a coroutine."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = is_so()
        if await answer if asyncio.iscoroutine(answer) else answer:
            return
        assert time.monotonic() < deadline, f"in time: {what}"
        await asyncio.sleep(0.02)
