"""A data folder, the real plane that serves it, and what a test can do to both from outside."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from tests.support.planes.plane_driver import RawClient, RawResponse

from inference_endpoints_local.daemon.connect import RunningPlane, connect_plane

ROOT = Path(__file__).parents[2]
MARK = "CRASH_TEST_FOLDER"
"""A variable in the environment of every worker of a folder, by which all are found."""


class Site:
    """One data folder under `path`. Start, break, start again."""

    def __init__(self, path: Path) -> None:
        self.data_dir = path / "data"
        self._log = path / "daemon.log"
        self._daemon: subprocess.Popen[str] | None = None
        self.plane: RunningPlane | None = None

    def spawn(self) -> None:
        """Start a plane, without waiting until it serves."""
        command = [sys.executable, "-m", "inference_endpoints_local.daemon", f"--data-dir={self.data_dir}"]
        command += ["--namespace=acme", "--simulated", "--simulated-speed=2000", "--json"]
        command += ["--programs=tests.support.planes.plane_driver:tiny_programs"]
        with self._log.open("a") as log:
            self._daemon = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    async def up(self) -> RunningPlane:
        """The plane, once it serves. It has the URL and the token of the previous one."""
        assert self._daemon is not None
        assert self._daemon.stdout is not None
        line = await asyncio.to_thread(self._daemon.stdout.readline)
        assert line, f"the plane did not start:\n{self._log.read_text()[-2_000:]}"
        plane = await connect_plane(self.data_dir)
        assert (plane.url, plane.pid) == (json.loads(line)["url"], self._daemon.pid)
        if self.plane is not None:
            assert (plane.url, plane.token) == (self.plane.url, self.plane.token)
        self.plane = plane
        return plane

    def kill_plane(self) -> None:
        """Kill the plane."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.communicate()
            self._daemon = None

    def workers(self) -> list[psutil.Process]:
        """Every worker of this folder, whoever its parent is."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def kill_worker(self, which: int) -> None:
        """Kill one of the workers, if there are any."""
        self._signal(which, self.workers(), signal.SIGKILL)

    def stop_worker(self, which: int) -> None:
        """Stop one of the recorded workers, so that it neither notices the end of its plane nor reacts to SIGTERM.

        A worker that is not recorded yet is left alone: only a debugger would stop it in that instant.
        """
        with self._store() as db:
            recorded = {pid for (pid,) in db.execute("SELECT pid FROM process")}
        self._signal(which, [worker for worker in self.workers() if worker.pid in recorded], signal.SIGSTOP)

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

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> RawResponse:
        """Raises OSError or HTTPException if there is no answer."""
        assert self.plane is not None
        driver = RawClient(self.plane.url)
        return await driver.call(method, path, body, token=self.plane.token, **headers)

    def __str__(self) -> str:
        """The state of the site, for the report of a failure."""
        workers = [worker.as_dict(["pid", "ppid", "status", "create_time"]) for worker in self.workers()]
        return f"{self.data_dir}, plane {self.plane and self.plane.pid}, workers {workers}"

    def clear(self) -> None:
        self.kill_plane()
        for worker in self.workers():
            with suppress(psutil.NoSuchProcess):  # it may end by itself
                worker.kill()

    def _store(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(f"file:{self.data_dir / 'plane.sqlite3'}?mode=ro", uri=True))

    def _signal(self, which: int, workers: list[psutil.Process], number: signal.Signals) -> None:
        if workers:
            with suppress(psutil.NoSuchProcess):
                workers[which % len(workers)].send_signal(number)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            # Only Python processes: reading an environment is slow, and all workers here are Python.
            return "python" in process.name() and process.environ().get(MARK) == str(self.data_dir)
        except psutil.Error:
            return False
