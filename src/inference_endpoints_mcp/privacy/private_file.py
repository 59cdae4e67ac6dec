"""Files of the operator that hold secrets: only their owner may be able to read them."""

import os
import stat
import tempfile
from pathlib import Path


class PrivateFileError(ValueError):
    """The file cannot be read, or others can read it."""


def read_private_file(path: Path, flag: str) -> str:
    """The text of a file. Raises `PrivateFileError` if it cannot be read or is not private, with the flag that names
    it."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and not is_private(os.fstat(file.fileno()), os.geteuid()):
                raise PrivateFileError(f"Other users can read {path} ({flag}): chmod 600 {path}.")
            return file.read().decode()
    except OSError as error:
        raise PrivateFileError(f"{path} ({flag}) cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PrivateFileError(f"{path} ({flag}) is not a text file.") from error


def is_private(found: os.stat_result, user: int) -> bool:
    """Whether only this user can read a file, and root. A file of root may let one group read it: so a container, whose
    user is not root, gets its secrets."""
    allowed = stat.S_IRWXU | (stat.S_IRGRP if found.st_uid == 0 != user else 0)
    return not stat.S_IMODE(found.st_mode) & ~allowed


def write_private_file(path: Path, text: str) -> None:
    """Replace a file in one step. Its owner alone can read it, before and after. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # private from its first moment
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
