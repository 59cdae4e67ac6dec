"""Child processes of the plane: start, read, measure and end them, and end those that an earlier plane left.

The system reuses process numbers. A process is therefore identified by its number and its start time, so that after a
crash only processes of the plane are ended.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from inference_endpoints_local.state.record import Spec

STOP_TIMEOUT_S = 5.0
"""How long a worker may take to end before it is killed."""
LEFTOVER_STOP_TIMEOUT_S = 2.0
"""How long to wait for leftovers after SIGTERM, and again after SIGKILL."""
MAX_LINE_BYTES = 1 << 20
NEEDED_VARIABLES = ("SYSTEMROOT",)
"""Of the plane's environment: Windows opens no socket without it."""
WORKING_FOLDER = "/"
"""Of every worker: it exists everywhere, and nobody can place a file there that a library would load."""
_PLATFORM = str(sys.platform)


def worker_environment(spec: Spec, allowed: Collection[str], own: Collection[str] = ()) -> Mapping[str, str]:
    """A worker's environment: the endpoint's variables that it may have, these of this process, and nothing else."""
    configured: dict[str, str] = spec["model"]["env"] | spec["model"]["secrets"]
    needed = {name: os.environ[name] for name in (*NEEDED_VARIABLES, *own) if name in os.environ}
    return needed | {"LANG": "C.UTF-8"} | {name: value for name, value in configured.items() if name in allowed}


async def spawn(command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int] = ()) -> Process:
    """Start the process with pipes for its three streams, and with these descriptors open.

    In the loop's thread: a worker may die with that thread.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        cwd=WORKING_FOLDER,
        pass_fds=descriptors,
        limit=MAX_LINE_BYTES,
        # Signals of the plane's terminal must not reach its workers.
        start_new_session=True,
    )


async def read_line(stream: asyncio.StreamReader) -> str:
    """The next line, or "" at the end. A line too long for the buffer is skipped in pieces."""
    try:
        line = await stream.readline()
    except ValueError:
        line = b"(a line too long to keep)\n"
    return line.decode("utf-8", "replace")


async def end_process(process: Process) -> None:
    """Close its stdin and send SIGTERM, then SIGKILL. Returns when it has ended."""
    if process.returncode is not None:
        return
    if process.stdin:
        process.stdin.close()
    for signal in (process.terminate, process.kill):
        try:
            signal()
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
                return
        except TimeoutError:
            continue
    await process.wait()


def process_identity(pid: int) -> str | None:
    """The identity of this process, which a later one of the same number does not have; None if it has ended."""
    if _PLATFORM == "linux":
        return _linux_identity(pid)
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process, of all its threads together; None if it has ended or cannot be read."""
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(used.user + used.system)


def resident_bytes(pid: int, children: bool = False) -> int | None:
    """Resident memory of a process, and of its children if they count, shared pages included; None if it has ended or
    cannot be read."""
    try:
        process = psutil.Process(pid)
        counted = [process, *(process.children(recursive=True) if children else ())]
        return sum(int(each.memory_info().rss) for each in counted)
    except psutil.Error:
        return None


def end_leftovers(started: Mapping[int, str]) -> None:
    """End these processes (number to identity) and their children, as far as they still run.

    Blocks for up to twice `LEFTOVER_STOP_TIMEOUT_S` seconds.
    """
    running = [process for pid, identity in started.items() for process in _tree(pid, identity)]
    for signal in (psutil.Process.terminate, psutil.Process.kill):
        for process in running:
            with suppress(psutil.Error):  # it ended in between
                signal(process)
        deadline = time.monotonic() + LEFTOVER_STOP_TIMEOUT_S
        while (running := [process for process in running if _is_running(process)]) and time.monotonic() < deadline:
            time.sleep(0.02)


def _linux_identity(pid: int) -> str | None:
    """The id of the boot, and the start in clock ticks since then.

    Not psutil's create_time(): that is wall clock time. When the clock is set it changes, and the process would not be
    recognized any more.
    """
    try:
        # Field 22, counted from the end of the name (field 2), which may contain spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if fields[0] == "Z" else f"{boot}:{fields[19]}"


def _tree(pid: int, identity: str) -> list[psutil.Process]:
    """The process and its children, if it has that identity."""
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
    except psutil.Error:
        return []
    # Compared last: psutil sends no signal if another process has the number by then.
    return [process, *children] if process_identity(pid) == identity and pid != os.getpid() else []


def _is_running(process: psutil.Process) -> bool:
    """Not psutil.wait_procs(): it reaps children that asyncio waits for, and waits for zombies of other parents."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
