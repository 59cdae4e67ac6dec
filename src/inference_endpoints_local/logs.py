"""What replicas printed: bounded, and on disk, so that the last words of a failed endpoint outlive the plane."""

import json
import shutil
from collections import deque
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LINES = 1_000
"""Lines kept of one replica."""
LINE_CHARACTERS = 4_096
FILE_BYTES = 1_000_000
REPLICAS = 5
"""Replicas of an endpoint whose lines are kept, the newest."""

Entry = dict[str, Any]


class ReplicaLog:
    """The lines of one replica, in memory and in `path`."""

    def __init__(self, replica_id: str, path: Path) -> None:
        self.replica_id = replica_id
        self._path = path
        self._lines: deque[Entry] = deque(maxlen=LINES)
        self._size = 0
        self._gap = ""

    def add(self, line: str, stream: str = "stderr") -> None:
        """Keep a line. A full disk costs the line its place in the log, never the replica its life."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = line.rstrip()[:LINE_CHARACTERS]
        entry = {
            "timestamp": moment,
            "line": line,
            "stream": stream,
            "replica_id": self.replica_id,
            "level": level_of(line),
        }
        self._lines.append(entry)
        text = json.dumps(entry) + "\n"
        try:
            if self._size + len(text) > FILE_BYTES:
                self._rewrite()
                return
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._gap + text)
            self._size += len(text)
            self._gap = ""
        except OSError:
            self._gap = "\n"  # what was written of it must not spoil the next

    def last_words(self, lines: int = 5, characters: int = 1_000) -> str:
        """The last lines of its stderr."""
        said = [entry["line"] for entry in self._lines if entry["stream"] == "stderr" and entry["line"]]
        return "\n".join(said[-lines:])[-characters:]

    def _rewrite(self) -> None:
        """Start the file anew with the newest half of what it may hold."""
        kept: deque[str] = deque()
        size = 0
        for entry in reversed(self._lines):
            text = json.dumps(entry) + "\n"
            if (size := size + len(text)) > FILE_BYTES // 2:
                break
            kept.appendleft(text)
        self._path.write_text("".join(kept), encoding="utf-8")
        self._size = sum(map(len, kept))


class LogBook:
    """The logs of all endpoints, one folder each below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, endpoint_id: str, replica_id: str) -> ReplicaLog:
        """The log of a new replica; those of the endpoint's oldest replicas are dropped."""
        folder = self._folder / endpoint_id
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in self._files(endpoint_id)[: -(REPLICAS - 1)]:
                path.unlink(missing_ok=True)
        except OSError:
            pass  # a full or read-only disk: there will be last words, but no log
        return ReplicaLog(replica_id, folder / f"{replica_id}.jsonl")

    def read(
        self, endpoint_id: str, replica: str | None = None, tail: int | None = None, line_characters: int | None = None
    ) -> list[Entry]:
        """The endpoint's lines, oldest first: of one replica or of all, the last `tail`, each cut to a length."""
        entries = [
            entry
            for path in self._files(endpoint_id)
            if replica is None or path.stem == replica
            for entry in _lines_of(path)
        ]
        entries.sort(key=lambda entry: str(entry["timestamp"]))
        if tail is not None:
            entries = entries[-tail:] if tail else []
        if line_characters is not None:
            entries = [entry | {"line": entry["line"][:line_characters]} for entry in entries]
        return entries

    def drop(self, endpoint_id: str) -> None:
        shutil.rmtree(self._folder / endpoint_id, ignore_errors=True)

    def keep_only(self, endpoint_ids: Container[str]) -> None:
        """Drop the logs of endpoints that are no more."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.name not in endpoint_ids:
                    self.drop(folder.name)

    def _files(self, endpoint_id: str) -> list[Path]:
        """An endpoint's log files, oldest replica first."""
        found = (self._folder / endpoint_id).glob("*.jsonl")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _lines_of(path: Path) -> Iterator[Entry]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the plane died while writing it


def level_of(line: str) -> str | None:
    """The severity a line names near its start, if it does."""
    start = line[:80].upper()
    for word, level in (("ERROR", "error"), ("CRITICAL", "error"), ("WARN", "warning"), ("INFO", "info")):
        if word in start:
            return level
    return None
