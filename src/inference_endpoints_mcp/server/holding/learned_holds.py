"""What was learnt of each client, and the calls proposed to it, for all servers with the same data folder."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

from inference_endpoints_mcp.server.holding.hold import LearnedHold

log = logging.getLogger(__name__)

MAX_CLIENTS, MAX_PROPOSALS = 200, 500
PROPOSAL_VALID_S = 600
"""Seconds after which a proposed call no longer tells whether its answer arrived."""
_LOCK_TIMEOUT_S = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hold
    (client TEXT PRIMARY KEY, seconds REAL, losses INTEGER, arrivals INTEGER, changed REAL);
CREATE TABLE IF NOT EXISTS proposal (proof BLOB PRIMARY KEY, again BLOB, allowed REAL, made REAL);
"""
_FIND = "SELECT seconds, losses, arrivals FROM hold WHERE client = ?"
_FIND_OUTCOME = (
    "SELECT proof = ? AS arrived, allowed FROM proposal WHERE (proof = ? OR again = ?) AND made >= ? "
    "ORDER BY arrived DESC, rowid LIMIT 1"
)
"""Every call asks this, so it is one query: each takes the lock of the file."""

T = TypeVar("T")


@dataclass(frozen=True)
class AnswerOutcome:
    """What became of an answer: whether it arrived, and for how many seconds its call could be held."""

    arrived: bool
    allowed_s: float


class LearnedHolds:
    """A small database that its owner alone can read; one in memory where there is no folder, or none that can be used.

    `clock` gives seconds since the epoch. What changed longest ago is forgotten first.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._path = folder / "holds.sqlite3" if folder else None
        self._clock = clock
        self._renewed = False
        self._db: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a file. Reading what is not there would make one."""
        return self._path is not None and self._path.exists()

    def known(self) -> list[tuple[str, float]]:
        """Clients, and for how many seconds their calls are held; the newest first."""
        return self._run(lambda db: db.execute("SELECT client, seconds FROM hold ORDER BY changed DESC").fetchall())

    def find(self, client: str) -> LearnedHold | None:
        def read(db: sqlite3.Connection) -> LearnedHold | None:
            row = db.execute(_FIND, [client]).fetchone()
            return LearnedHold(*row) if row else None

        return self._run(read)

    def change(self, client: str, start: LearnedHold, change: Callable[[LearnedHold], LearnedHold]) -> None:
        """Change what is known of a client, or else `start`."""

        def write(db: sqlite3.Connection) -> None:
            row = db.execute(_FIND, [client]).fetchone()
            hold = change(LearnedHold(*row) if row else start)
            db.execute("INSERT OR REPLACE INTO hold VALUES (?, ?, ?, ?, ?)", [client, *astuple(hold), self._clock()])
            _keep_newest(db, "hold", "client", "changed", MAX_CLIENTS)

        self._run(write, writes=True)

    def propose(self, proof: bytes, again: bytes, allowed_s: float) -> None:
        """Note an answer. A call with `proof` shows that it arrived; one with `again` repeats what it answered."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO proposal VALUES (?, ?, ?, ?)", [proof, again, allowed_s, self._clock()])
            _keep_newest(db, "proposal", "proof", "made", MAX_PROPOSALS)

        self._run(write, writes=True)

    def take(self, proof: bytes, again: bytes) -> AnswerOutcome | None:
        """What a call tells of an answer before it. It tells it once; None if it tells nothing."""
        if self._run(lambda db: self._outcome(db, proof, again)) is None:
            return None  # most calls: nothing is written

        def write(db: sqlite3.Connection) -> AnswerOutcome | None:
            outcome = self._outcome(db, proof, again)
            if outcome is not None:
                column, value = ("proof", proof) if outcome.arrived else ("again", again)
                db.execute(f"DELETE FROM proposal WHERE {column} = ?", [value])  # noqa: S608
            return outcome

        return self._run(write, writes=True)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _outcome(self, db: sqlite3.Connection, proof: bytes, again: bytes) -> AnswerOutcome | None:
        row = db.execute(_FIND_OUTCOME, [proof, proof, again, self._clock() - PROPOSAL_VALID_S]).fetchone()
        return AnswerOutcome(bool(row[0]), row[1]) if row else None

    def _run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = False) -> T:
        """Do it, in one transaction. A file that is no database is begun anew: nothing in it is worth a repair."""
        while self._path is not None:
            try:
                return _do(self._open(self._path), work, writes)
            except (OSError, sqlite3.Error) as error:
                self.close()
                broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
                if broken and not self._renewed:
                    self._renewed = True
                    self._path.unlink(missing_ok=True)
                    continue
                log.warning("%s cannot be used (%s): what hosts bear is learnt for this process", self._path, error)
                self._path = None
        return _do(self._open(None), work, writes)

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if self._db is None:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.chmod(0o600)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=_LOCK_TIMEOUT_S)
            # What is lost with the power is learnt again.
            self._db.execute("PRAGMA synchronous = OFF")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        return self._db


def _do(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], writes: bool) -> T:
    """Reading needs no transaction of its own; while one writes, no other process does."""
    if not writes:
        return work(db)
    db.execute("BEGIN IMMEDIATE")
    try:
        done = work(db)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return done


def _keep_newest(db: sqlite3.Connection, table: str, key: str, order: str, most: int) -> None:
    db.execute(
        f"DELETE FROM {table} WHERE {key} NOT IN (SELECT {key} FROM {table} ORDER BY {order} DESC LIMIT ?)",  # noqa: S608
        [most],
    )
