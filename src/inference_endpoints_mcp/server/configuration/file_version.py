"""Whether a file of the operator changed since it was read."""

from pathlib import Path

FileVersion = tuple[int, ...]


def version_of(path: Path) -> FileVersion:
    """Changes with the file and its mode. Empty for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_ctime_ns
