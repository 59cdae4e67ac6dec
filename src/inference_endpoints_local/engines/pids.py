"""Processes by their number: their identity, what they use, and how the leftovers of a killed plane are ended.

The system reuses process numbers. A process is therefore identified by its number and its start time, so that only
processes of this plane are ever ended.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

TERMINATE_TIMEOUT_S = 2.0
"""How long to wait after SIGTERM before SIGKILL, and how long after that."""
_PLATFORM = str(sys.platform)


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


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process, shared pages included; None if it has ended or cannot be read."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def end_processes(started: Mapping[int, str]) -> None:
    """End these processes (number to identity) and their children, as far as they still run.

    Blocks for up to twice `TERMINATE_TIMEOUT_S` seconds.
    """
    left = [process for pid, identity in started.items() for process in _tree(pid, identity)]
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with suppress(psutil.Error):  # it ended in between
                end(process)
        deadline = time.monotonic() + TERMINATE_TIMEOUT_S
        while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
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
    # Compared last: psutil sends no signal if the number has since gone to another process.
    return [process, *children] if process_identity(pid) == identity and pid != os.getpid() else []


def _runs(process: psutil.Process) -> bool:
    """Not psutil.wait_procs(): it reaps children that asyncio waits for, and waits for zombies of other parents."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
