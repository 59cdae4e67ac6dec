"""On Linux, a process ends with the one that started it, however that ended."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None, number: signal.Signals = signal.SIGKILL) -> None:
    """Get this signal when the thread that started this process ends. `parent` is its process, if that is known."""
    if sys.platform != "linux":
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before that
        os._exit(0)


def ending_with_us(number: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """The same as the `preexec_fn` of a child."""
    here = os.getpid()
    return lambda: end_with_parent(here, number)
