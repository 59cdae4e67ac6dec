"""Copies of configuration files as they were, in a private folder: files of hosts often have tokens in them."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

KEPT = 10


class Backups:
    """The copies of one file, the newest first."""

    def __init__(self, folder: Path, file: Path) -> None:
        place = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
        self._folder = folder / "backups" / f"{file.name}-{place}"

    def keep(self, content: bytes) -> Path:
        """Keep a copy, and forget the oldest where there are more than `KEPT`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = self._folder / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        for old in self._paths()[KEPT:]:
            old.unlink(missing_ok=True)
        return copy

    def contents(self) -> list[bytes]:
        return [path.read_bytes() for path in self._paths()]

    def _paths(self) -> list[Path]:
        return sorted(self._folder.iterdir(), reverse=True) if self._folder.is_dir() else []
