"""Notices that the engine no longer comes to the end of a token.

For each token llama.cpp follows every choice of a grammar that fits so far. A grammar can have more of them than can be
followed in any time, and nothing interrupts the engine: its process has to end.
"""

import threading
import time
from collections.abc import Callable


class StallWatch:
    """Follows the requests that the engine works on. Calls `on_stall`, from a thread of its own, when none of them gets
    a token for `limit_s` seconds, though no prompt is being read, which may take long.

    Half of these seconds must be processor time: a process that does not run is not stalled.
    """

    def __init__(self, on_stall: Callable[[], None], limit_s: float) -> None:
        self._on_stall = on_stall
        self._limit_s = limit_s
        self._is_writing: dict[object, bool] = {}
        self._lock = threading.Lock()
        self._progressed()
        threading.Thread(target=self._run, name="stall watch", daemon=True).start()

    def note(self, request: object, *, is_writing: bool) -> None:
        """The engine began with a request, or came further. It is writing once it has read the whole prompt."""
        with self._lock:
            self._is_writing[request] = is_writing
            self._progressed()

    def end(self, request: object) -> None:
        with self._lock:
            self._is_writing.pop(request, None)
            self._progressed()

    def _progressed(self) -> None:
        self._last = time.monotonic(), time.process_time()

    def _run(self) -> None:
        while True:
            time.sleep(self._limit_s / 10)
            if self._is_stalled():
                self._on_stall()

    def _is_stalled(self) -> bool:
        with self._lock:
            if not self._is_writing or not all(self._is_writing.values()):
                return False
            at, used = self._last
        return time.monotonic() - at > self._limit_s and time.process_time() - used > self._limit_s / 2
