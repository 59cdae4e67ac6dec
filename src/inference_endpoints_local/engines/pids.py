"""Processes by their number: told from later ones by their start time, so that no stranger is ever ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

GRACE_S = 2.0
platform = str(sys.platform)


def process_identity(pid: int) -> str | None:
    """What tells the process from a later one of the same number; None if there is none, or no way to tell."""
    if platform == "linux":
        try:
            # Start time in ticks since boot; field 22, counted behind the name, which may hold anything.
            started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return None if started[0] == "Z" else f"{boot}:{started[19]}"
    if platform == "win32":
        return None  # best effort: a worker there ends when its stdin closes
    return _started(pid)


def cpu_seconds(pid: int) -> float | None:
    """Processor time a process has taken, all its threads together; None if there is no telling."""
    if platform != "linux":
        return None
    try:
        # In ticks; fields 14 and 15, counted behind the name, which may hold anything.
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(facts[11]) + int(facts[12])) / float(os.sysconf("SC_CLK_TCK"))


def resident_bytes(pid: int) -> int | None:
    """Memory of a process that is in RAM, shared pages included; None if there is no telling."""
    if platform != "linux":
        return None
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _started(pid: int) -> str | None:
    """The start time `ps` tells, on other kinds of Unix."""
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a number and constants
    return listed.stdout.strip() or None


def end_processes(started: Mapping[int, str]) -> None:
    """End those of these processes that still are what they were; blocks for up to `GRACE_S` seconds."""
    left = [pid for pid, identity in started.items() if process_identity(pid) == identity]
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        for pid in left:
            try:
                os.kill(pid, number)
            except OSError:
                continue  # it ended in between
        deadline = time.monotonic() + GRACE_S
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if process_identity(pid) == started[pid]]
            time.sleep(0.02 if left else 0)
