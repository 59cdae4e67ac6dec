"""What server processes share so that a plan's token is good in each of them, and once: keys and the redeemed tokens.

Many hosts start a server, or open a session, for each call.
"""

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from inference_endpoints_mcp.replicas.shared_state import SharedState

log = logging.getLogger(__name__)

_KEY_BYTES = 32
_LOCK_TIMEOUT_S = 5.0
_CLOCKS_DIFFER_S = 300
"""Seconds for which a token is remembered longer than it is valid, since another replica's clock may be late."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sealing_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS redeemed (nonce BLOB PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
"""


class PlanLedger(Protocol):
    """The sealing keys, the newest first, and which tokens are redeemed. Times are in whole seconds since the epoch."""

    @property
    def keys(self) -> Sequence[bytes]: ...

    async def is_redeemed(self, nonce: bytes) -> bool: ...

    async def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
        """Record that a token is redeemed. Returns False if it was before. What has expired is forgotten."""


class InProcessPlanLedger:
    """A ledger of this process alone."""

    def __init__(self) -> None:
        self.keys = (secrets.token_bytes(_KEY_BYTES),)
        self._redeemed: dict[bytes, int] = {}

    async def is_redeemed(self, nonce: bytes) -> bool:
        return nonce in self._redeemed

    async def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
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
            self.keys: Sequence[bytes] = db.execute("SELECT key FROM sealing_key").fetchone()

    async def is_redeemed(self, nonce: bytes) -> bool:
        with self._writing() as db:
            return db.execute("SELECT 1 FROM redeemed WHERE nonce = ?", [nonce]).fetchone() is not None

    async def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
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


class ReplicaLedger:
    """A ledger of all replicas: the operator's keys, and the tokens that one of them redeemed.

    `read_keys` gives the keys of now. Raises `SharedStateUnavailable` where it is not known whether a token was
    redeemed.
    """

    def __init__(self, read_keys: Callable[[], Sequence[bytes]], shared: SharedState) -> None:
        self._read_keys = read_keys
        self._shared = shared

    @property
    def keys(self) -> Sequence[bytes]:
        return self._read_keys()

    async def is_redeemed(self, nonce: bytes) -> bool:
        return await self._shared.is_claimed(_claim(nonce))

    async def redeem(self, nonce: bytes, expires: int, now: int) -> bool:
        return await self._shared.claim(_claim(nonce), expires - now + _CLOCKS_DIFFER_S)


def _claim(nonce: bytes) -> str:
    return f"plan {nonce.hex()}"


def open_ledger(folder: Path | None) -> PlanLedger:
    """The ledger in this folder; one of this process alone, with a warning, where the folder cannot be used."""
    if folder is None:
        return InProcessPlanLedger()
    try:
        return FolderLedger(folder)
    except (OSError, sqlite3.Error) as error:
        log.warning("plan tokens are good in this process only: %s cannot be used (%s)", folder, error)
        return InProcessPlanLedger()
