"""What must survive the plane: the wanted state of every endpoint, and the worker processes it started.

SQLite in WAL mode with synchronous=FULL: what was acknowledged is on disk, whatever happens to the process. It is
used from the event loop's thread: rows are small, changes rare, and one commit costs less than a turn of a thread pool.
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference_endpoints_local.record import Failure, Power, Record, Version

SCHEMA_VERSION = 1
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})  # the latter: no room for the index of the WAL
_SCHEMA = """
CREATE TABLE endpoint (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, created_ns INTEGER NOT NULL, record TEXT NOT NULL,
    UNIQUE (namespace, name)
);
CREATE TABLE process (pid INTEGER PRIMARY KEY, identity TEXT NOT NULL);
"""


class StoreError(Exception):
    """The store could not be used; the message says why and what to do."""


class StoreDamaged(StoreError):
    """The file is not a store, or no longer one. It is left exactly as it was found."""


class StoreFull(StoreError):
    """There is no room to open the store in. Nothing in it was changed."""


class NotSaved(StoreError):
    """A change could not be written, and did not happen."""


class Store:
    """The endpoints of one data folder. Raises StoreDamaged or StoreFull on opening, NotSaved on writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # it holds the secrets of endpoints
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") in _FULL:
                raise StoreFull(f"There is no room to open the store {path} in ({error}). Free some space.") from error
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
            if version not in (0, SCHEMA_VERSION):
                raise sqlite3.DatabaseError(f"it is of version {version}, this program knows {SCHEMA_VERSION}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if version == 0:
                db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except BaseException:
            db.close()
            raise
        return db

    def load(self) -> list[Record]:
        """Every endpoint, oldest first."""
        try:
            rows = self._db.execute("SELECT record FROM endpoint ORDER BY created_ns, id").fetchall()
            return [_record(json.loads(text)) for (text,) in rows]
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            raise StoreDamaged(
                f"The store {self.path} holds an endpoint that cannot be read ({error}). Nothing was changed. Restore "
                "it from a backup, or move it away (with its -wal and -shm files) to start with no endpoints."
            ) from error

    def save(self, records: Iterable[Record]) -> None:
        """Write records, all of them or none."""
        self._write(
            "INSERT INTO endpoint VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
            [(r.id, r.namespace, r.name, r.created_ns, json.dumps(asdict(r))) for r in records],
        )

    def delete(self, endpoint_id: str) -> None:
        self._write("DELETE FROM endpoint WHERE id = ?", [(endpoint_id,)])

    def processes(self) -> dict[int, str]:
        """Processes started and not known to have ended: pid to what tells it from a later one of that number."""
        return dict(self._db.execute("SELECT pid, identity FROM process").fetchall())

    def process_started(self, pid: int, identity: str) -> None:
        self._write("INSERT OR REPLACE INTO process VALUES (?, ?)", [(pid, identity)])

    def process_ended(self, pid: int) -> None:
        self._write("DELETE FROM process WHERE pid = ?", [(pid,)])

    def close(self) -> None:
        self._db.close()

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            with closing(self._db.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise NotSaved(f"The change could not be written to {self.path} ({error}) and was not made.") from error


def _record(data: dict[str, Any]) -> Record:
    good, failure = data.pop("good"), data.pop("failure")
    return Record(
        **data | {"power": Power(data["power"])},
        good=Version(**good) if good else None,
        failure=Failure(**failure) if failure else None,
    )
