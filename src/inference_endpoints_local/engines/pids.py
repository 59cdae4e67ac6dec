"""Processes found by their number: what they use, and how those a killed plane left behind are ended.

A process number is used again after its process has ended. A process is therefore known by its number together with
its start time, so that only processes this plane started are ever ended.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

GRACE_S = 2.0
"""How long processes may take to end on SIGTERM before they get SIGKILL, and how long to wait after that."""
_PLATFORM = str(sys.platform)


def process_identity(pid: int) -> str | None:
    """What differs between this process and a later one of the same number; None if it has ended."""
    if _PLATFORM == "linux":
        return _linux_identity(pid)
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def cpu_seconds(pid: int) -> float | None:
    """Processor time a process has used, all its threads together; None if it has ended or cannot be read."""
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(used.user + used.system)


def resident_bytes(pid: int) -> int | None:
    """Memory of a process that is in RAM, shared pages included; None if it has ended or cannot be read."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def end_processes(started: Mapping[int, str]) -> None:
    """End those of these processes (number to identity) that still run, with their children.

    Blocks for up to twice `GRACE_S` seconds.
    """
    left = [process for pid, identity in started.items() for process in _tree(pid, identity)]
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with suppress(psutil.Error):  # it ended in between
                end(process)
        deadline = time.monotonic() + GRACE_S
        while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.02)


def _linux_identity(pid: int) -> str | None:
    """The boot and the start in clock ticks since then.

    Not psutil's create_time(): that is a wall clock time, which changes whenever the clock is set, so that a process
    would not be recognized afterwards.
    """
    try:
        # Field 22, counted from behind the name (field 2), which may contain spaces and brackets.
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if facts[0] == "Z" else f"{boot}:{facts[19]}"


def _tree(pid: int, identity: str) -> list[psutil.Process]:
    """The process and its children, if it is the one of that identity."""
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
    except psutil.Error:
        return []
    # Compared last: psutil sends no signal if the number has since gone to another process.
    return [process, *children] if process_identity(pid) == identity and pid != os.getpid() else []


def _runs(process: psutil.Process) -> bool:
    """Not psutil.wait_procs(): it would reap children that asyncio waits for, and wait for zombies of others."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
