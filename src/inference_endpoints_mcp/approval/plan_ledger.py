"""What server processes share so that a plan's token is good in each of them, and once: a key and the redeemed tokens.

Many hosts start a server, or open a session, for each call.
"""

import logging
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

_KEY_BYTES = 32
_LOCK_TIMEOUT_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sealing_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS redeemed (nonce BLOB PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
"""


class PlanLedger(Protocol):
    """A key, and which tokens are redeemed. Times are in whole seconds since the epoch."""

    @property
    def key(self) -> bytes: ...

    def is_redeemed(self, nonce: bytes) -> bool: ...

    def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
        """Record that a token is redeemed. Returns False if it was before. What has expired is forgotten."""


class ProcessLedger:
    """A ledger of this process alone."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(_KEY_BYTES)
        self._redeemed: dict[bytes, int] = {}

    def is_redeemed(self, nonce: bytes) -> bool:
        return nonce in self._redeemed

    def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
        if nonce in self._redeemed:
            return False
        self._redeemed = {each: until for each, until in self._redeemed.items() if until >= now}
        self._redeemed[nonce] = expires
        return True


class FolderLedger:
    """A ledger that all processes with the same folder share: a database that its owner alone can read.

    Raises `OSError` or `sqlite3.Error` if the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plans.sqlite3"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self._path.chmod(0o600)
        with self._writing() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("INSERT OR IGNORE INTO sealing_key VALUES (1, ?)", [secrets.token_bytes(_KEY_BYTES)])
            self.key: bytes = db.execute("SELECT key FROM sealing_key").fetchone()[0]

    def is_redeemed(self, nonce: bytes) -> bool:
        with self._writing() as db:
            return db.execute("SELECT 1 FROM redeemed WHERE nonce = ?", [nonce]).fetchone() is not None

    def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
        with self._writing() as db:
            db.execute("DELETE FROM redeemed WHERE expires < ?", [now])
            return db.execute("INSERT OR IGNORE INTO redeemed VALUES (?, ?)", [nonce, expires]).rowcount == 1

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other process interleaves."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=_LOCK_TIMEOUT_S)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")


def open_ledger(folder: Path | None) -> PlanLedger:
    """The ledger in this folder; one of this process alone, with a warning, where the folder cannot be used."""
    if folder is None:
        return ProcessLedger()
    try:
        return FolderLedger(folder)
    except (OSError, sqlite3.Error) as error:
        log.warning("plan tokens are good in this process only: %s cannot be used (%s)", folder, error)
        return ProcessLedger()
