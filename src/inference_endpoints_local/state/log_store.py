"""The output of replicas, bounded and on disk, so that the last lines of a failed endpoint outlive the plane."""

import asyncio
import json
import re
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path

from inference_endpoints.models import rfc3339
from inference_endpoints_local.state.log_filter import LogFilter, LogRecord

MAX_LINES = 1_000
"""Lines kept for one replica."""
MAX_LINE_CHARACTERS = 4_096
MAX_FILE_BYTES = 1_000_000
MAX_REPLICAS = 5
"""Newest replicas of an endpoint whose lines are kept."""

MAX_UNREAD_LINES = 1_000
"""Lines kept for a slow follower; it loses the older ones."""
SILENCE_S = 20.0
"""Seconds without a line after which a follower sends a sign of life."""
EVERY_ENTRY = LogFilter()
_LLAMA = re.compile(r"\d+\.\d+\.\d+\.\d+ ([A-Z]) ")
"""The start of a line of llama.cpp: the time since its start, and the severity as a letter."""
_LLAMA_LEVELS = {"E": "error", "W": "warning", "I": "info"}
_PREFIX = re.compile(r"[\d.:TZ-]+ [A-Z]+ (?=\S)")
"""The start of a line of our workers and of llama.cpp: time and severity."""


class ReplicaLog:
    """The lines of one replica, in memory and in `path`; None: in memory alone."""

    def __init__(self, replica_id: str, path: Path | None, on_line: Callable[[LogRecord], None]) -> None:
        self.replica_id = replica_id
        self._path = path
        self._on_line = on_line
        self._lines: deque[LogRecord] = deque(maxlen=MAX_LINES)
        self._size = 0
        self._separator = ""

    def add(self, line: str, stream: str = "stderr", timestamp: str | None = None) -> None:
        """Keep a line, printed now or then. On a full disk the line is lost, and the replica runs on."""
        moment = timestamp or rfc3339(datetime.now(UTC), "milliseconds")
        line = line.rstrip()[:MAX_LINE_CHARACTERS]
        entry = {
            "timestamp": moment,
            "line": line,
            "stream": stream,
            "replica_id": self.replica_id,
            "level": level_of(line),
        }
        self._lines.append(entry)
        self._on_line(entry)
        if self._path is not None:
            self._write(self._path, entry)

    def _write(self, path: Path, entry: LogRecord) -> None:
        text = json.dumps(entry) + "\n"
        try:
            if self._size + len(text) > MAX_FILE_BYTES:
                self._rewrite(path)
                return
            with path.open("a", encoding="utf-8") as file:
                file.write(self._separator + text)
            self._size += len(text)
            self._separator = ""
        except OSError:
            self._separator = "\n"  # a line written in part must not damage the next

    def last_lines(self, lines: int = 5, characters: int = 1_000) -> str:
        """The last lines of its stderr."""
        printed = [entry["line"] for entry in self._lines if entry["stream"] == "stderr" and entry["line"]]
        return "\n".join(printed[-lines:])[-characters:]

    def failure_cause(self) -> str:
        """The first of the errors that its output ends with: the others follow from it. Empty if there are none."""
        printed = (entry for entry in reversed(self._lines) if entry["stream"] == "stderr" and entry["line"])
        errors = [entry["line"] for entry in takewhile(lambda entry: entry["level"] == "error", printed)]
        return _PREFIX.sub("", errors[-1], count=1) if errors else ""

    def _rewrite(self, path: Path) -> None:
        """Replace the file by the newest half of what it may hold."""
        kept: deque[str] = deque()
        size = 0
        for entry in reversed(self._lines):
            text = json.dumps(entry) + "\n"
            if (size := size + len(text)) > MAX_FILE_BYTES // 2:
                break
            kept.appendleft(text)
        path.write_text("".join(kept), encoding="utf-8")
        self._size = sum(map(len, kept))


class LogStore:
    """The logs of all endpoints, one folder each below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._followers: dict[str, list[_Follower]] = {}

    def open(self, endpoint_id: str, replica_id: str) -> ReplicaLog:
        """The log of a new replica. Deletes the logs of the endpoint's oldest replicas."""
        folder = self._folder / endpoint_id
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in self._files(endpoint_id)[: -(MAX_REPLICAS - 1)]:
                path.unlink(missing_ok=True)
        except OSError:
            pass  # a full or read-only disk: the lines are in memory alone
        return ReplicaLog(replica_id, folder / f"{replica_id}.jsonl", partial(self._publish, endpoint_id))

    def read(
        self,
        endpoint_id: str,
        wanted: LogFilter = EVERY_ENTRY,
        tail: int | None = None,
        line_characters: int | None = None,
    ) -> list[LogRecord]:
        """The last `tail` entries that are wanted, oldest first, each line cut to `line_characters`."""
        entries = [
            entry
            for path in self._files(endpoint_id)
            if wanted.replica in (None, path.stem)
            for entry in _read_lines(path)
            if wanted.matches(entry)
        ]
        entries.sort(key=lambda entry: str(entry["timestamp"]))
        if tail is not None:
            entries = entries[-tail:] if tail else []
        return [_cut(entry, line_characters) for entry in entries]

    async def follow(
        self,
        endpoint_id: str,
        wanted: LogFilter = EVERY_ENTRY,
        tail: int | None = None,
        line_characters: int | None = None,
    ) -> AsyncIterator[LogRecord | None]:
        """What `read` returns, then every wanted line as it is printed. Ends with the endpoint or the plane.

        Yields None whenever nothing was printed for `SILENCE_S`.
        """
        with self._subscribed(endpoint_id) as follower:
            for entry in self.read(endpoint_id, wanted, tail, line_characters):
                yield entry
            async for new in follower.entries():
                if new is None:
                    yield None
                elif wanted.matches(new):
                    yield _cut(new, line_characters)

    def close_followers(self) -> None:
        """End every follower, so that the plane can end."""
        for endpoint_id in list(self._followers):
            self._publish(endpoint_id, None)

    def delete(self, endpoint_id: str) -> None:
        self._publish(endpoint_id, None)
        shutil.rmtree(self._folder / endpoint_id, ignore_errors=True)

    def retain(self, endpoint_ids: Container[str]) -> None:
        """Delete the logs of all other endpoints."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.name not in endpoint_ids:
                    self.delete(folder.name)

    def _publish(self, endpoint_id: str, entry: LogRecord | None) -> None:
        for follower in self._followers.get(endpoint_id, ()):
            follower.put(entry)

    @contextmanager
    def _subscribed(self, endpoint_id: str) -> Iterator["_Follower"]:
        follower = _Follower()
        self._followers.setdefault(endpoint_id, []).append(follower)
        try:
            yield follower
        finally:
            self._followers[endpoint_id].remove(follower)
            if not self._followers[endpoint_id]:
                del self._followers[endpoint_id]

    def _files(self, endpoint_id: str) -> list[Path]:
        """An endpoint's log files, oldest replica first."""
        files = (self._folder / endpoint_id).glob("*.jsonl")
        return sorted(files, key=lambda path: path.stat().st_mtime_ns)


class _Follower:
    """The lines one follower has not read yet. None marks the end."""

    def __init__(self) -> None:
        self._unread: deque[LogRecord | None] = deque(maxlen=MAX_UNREAD_LINES)
        self._added = asyncio.Event()

    def put(self, entry: LogRecord | None) -> None:
        self._unread.append(entry)
        self._added.set()

    async def entries(self) -> AsyncIterator[LogRecord | None]:
        """Each line as it is printed; None whenever nothing was printed for `SILENCE_S`."""
        while True:
            try:
                await asyncio.wait_for(self._added.wait(), SILENCE_S)
            except TimeoutError:
                yield None
                continue
            self._added.clear()
            while self._unread:
                entry = self._unread.popleft()
                if entry is None:
                    return
                yield entry


def _cut(entry: LogRecord, characters: int | None) -> LogRecord:
    return entry if characters is None else entry | {"line": entry["line"][:characters]}


def _read_lines(path: Path) -> Iterator[LogRecord]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the plane was killed while writing it


def level_of(line: str) -> str | None:
    """The severity named near the start of a line; None if there is none."""
    if match := _LLAMA.match(line):
        return _LLAMA_LEVELS.get(match[1])
    start = line[:80].upper()
    for word, level in (("ERROR", "error"), ("CRITICAL", "error"), ("WARN", "warning"), ("INFO", "info")):
        if word in start:
            return level
    return None
