"""What must outlive the plane: the wanted state of every endpoint, its audit events, and the processes started.

SQLite in WAL mode with synchronous=FULL: an acknowledged change is on disk, whatever happens to the process. It runs in
the event loop's thread: rows are small, changes are rare, and a commit costs less than a hop to a thread pool.
"""

import errno
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from inference_endpoints_local.state.audit_event import MAX_AGE_NS, MAX_EVENTS, AuditEvent
from inference_endpoints_local.state.record import EndpointRecord

SCHEMA_VERSION = 3
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})  # the second: no space for the index of the WAL
_SCHEMA_1 = """
CREATE TABLE endpoint (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, created_ns INTEGER NOT NULL, record TEXT NOT NULL,
    UNIQUE (namespace, name)
);
CREATE TABLE process (pid INTEGER PRIMARY KEY, identity TEXT NOT NULL);
"""
_SCHEMA_2 = """
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, namespace TEXT NOT NULL, endpoint TEXT NOT NULL,
    user TEXT, event TEXT NOT NULL
);
CREATE INDEX event_at ON event (at_ns);
"""
# Before, an event named settings without their values.
_SCHEMA_3 = "DELETE FROM event;"
_RECORDS, _EVENTS = TypeAdapter(EndpointRecord), TypeAdapter(AuditEvent)
_Change = tuple[str, list[tuple[Any, ...]]]


class StoreError(Exception):
    """The store cannot be used. The message states why and what to do."""


class StoreDamaged(StoreError):
    """The file is not a store, or is damaged. It is left exactly as it was found."""


class StoreFull(StoreError):
    """The disk has no space to open the store. Nothing in it was changed."""


class NotSaved(StoreError):
    """A change could not be written and was not made."""


class Store:
    """The endpoints of one data folder. Raises StoreDamaged or StoreFull on opening, NotSaved on writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)  # it holds the secrets of endpoints
            self._db = self._open()
        except (OSError, sqlite3.DatabaseError) as error:
            if _is_disk_full(error, path.parent):
                raise StoreFull(
                    f"The disk has no space to open the store {path} ({error}). Free some space."
                ) from error
            if isinstance(error, OSError):
                raise
            raise StoreDamaged(
                f"The store {path} cannot be read ({error}). Nothing was changed. Restore it from a backup, or move "
                "it away (with its -wal and -shm files) to start with no endpoints."
            ) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        try:
            # Read before anything is written: a damaged file must stay as it is.
            found = db.execute("PRAGMA quick_check").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if not 0 <= version <= SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"it has schema version {version}; this program reads versions up to {SCHEMA_VERSION}"
                )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if version < SCHEMA_VERSION:
                missing = "".join((_SCHEMA_1, _SCHEMA_2, _SCHEMA_3)[version:])
                db.executescript(f"BEGIN; {missing} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except BaseException:
            db.close()
            raise
        return db

    def load(self) -> list[EndpointRecord]:
        """Every endpoint, oldest first."""
        try:
            rows = self._db.execute("SELECT record FROM endpoint ORDER BY created_ns, id").fetchall()
            return [_RECORDS.validate_json(text) for (text,) in rows]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise StoreDamaged(
                f"The store {self.path} holds an endpoint that cannot be read ({error}). Nothing was changed. Restore "
                "it from a backup, or move it away (with its -wal and -shm files) to start with no endpoints."
            ) from error

    def save(self, records: Iterable[EndpointRecord], events: Sequence[AuditEvent] = ()) -> None:
        """Write records and events, all or nothing."""
        self._write(
            (
                "INSERT INTO endpoint VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                [(r.id, r.namespace, r.name, r.created_ns, json.dumps(asdict(r))) for r in records],
            ),
            *_audit_inserts(events),
        )

    def delete(self, endpoint_id: str, events: Sequence[AuditEvent] = ()) -> None:
        self._write(("DELETE FROM endpoint WHERE id = ?", [(endpoint_id,)]), *_audit_inserts(events))

    def events(
        self,
        namespace: str,
        *,
        endpoint: str | None = None,
        user: str | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int,
    ) -> list[tuple[int, AuditEvent]]:
        """Events with their numbers, newest first: of one endpoint, by one user. The first `limit` before a number, or
        the last ones after a number."""
        rows = self._db.execute(
            "SELECT id, event FROM event WHERE namespace = ? AND endpoint = coalesce(?, endpoint) "
            "AND user = coalesce(?, user) AND id < coalesce(?, id + 1) AND id > coalesce(?, id - 1) "
            "ORDER BY CASE WHEN ? THEN id ELSE -id END LIMIT ?",
            (namespace, endpoint, user, before, after, after is not None, limit),
        ).fetchall()
        return sorted(((number, _EVENTS.validate_json(text)) for number, text in rows), reverse=True)

    def processes(self) -> dict[int, str]:
        """Started processes that are not known to have ended: pid to identity (see `process_identity`)."""
        return dict(self._db.execute("SELECT pid, identity FROM process").fetchall())

    def process_started(self, pid: int, identity: str) -> None:
        self._write(("INSERT OR REPLACE INTO process VALUES (?, ?)", [(pid, identity)]))

    def process_ended(self, pid: int) -> None:
        self._write(("DELETE FROM process WHERE pid = ?", [(pid,)]))

    def limit_size(self) -> None:
        """Let the file grow no further: a write that needs another page fails as on a full disk."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        self._db.execute(f"PRAGMA max_page_count = {pages}")

    def close(self) -> None:
        self._db.close()

    def _write(self, *changes: _Change) -> None:
        try:
            with closing(self._db.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                for statement, rows in changes:
                    cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise NotSaved(f"The change could not be written to {self.path} ({error}) and was not made.") from error


def _audit_inserts(events: Sequence[AuditEvent]) -> list[_Change]:
    """Insert events, and delete those above `MAX_EVENTS` or older than `MAX_AGE_NS`."""
    if not events:
        return []
    rows = [(e.at_ns, e.namespace, e.endpoint, e.by.user, json.dumps(asdict(e))) for e in events]
    return [
        ("INSERT INTO event (at_ns, namespace, endpoint, user, event) VALUES (?, ?, ?, ?, ?)", rows),
        ("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", [(MAX_EVENTS,)]),
        ("DELETE FROM event WHERE at_ns < ?", [(events[-1].at_ns - MAX_AGE_NS,)]),
    ]


def _is_disk_full(error: OSError | sqlite3.DatabaseError, folder: Path) -> bool:
    """Whether the disk is full. SQLite reports only "cannot open" for a file that it has no space to create."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if getattr(error, "sqlite_errorname", "") != "SQLITE_CANTOPEN":
        return getattr(error, "sqlite_errorname", "") in _FULL
    try:
        with tempfile.TemporaryFile(dir=folder):
            return False
    except OSError as refusal:
        return _is_disk_full(refusal, folder)
