"""What can go wrong with sharing a plane. A message says what is true and what to do next.

PlaneError
├── FolderUnusable   the data folder is not a folder, or not one this user may write
├── DiskFull         nothing more can be written to it
├── FolderInUse             another plane serves it (raised only where one is to be served in the foreground)
├── PortInUse        the port asked for cannot be had
├── StoreUnusable    the endpoints kept in the folder cannot be read
├── NotSimulated     the plane that runs has real work to do, and was asked to simulate
└── NotReachable     the plane did not come up, does not answer, or has ended
"""

from pathlib import Path
from typing import ClassVar


class PlaneError(Exception):
    """Root of what can go wrong with sharing a plane. A daemon that fails so ends with `exit_code`."""

    exit_code: ClassVar[int] = 1


class FolderUnusable(PlaneError):
    exit_code = 10

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The data folder {path} cannot be used: {why}. "
            "Choose another with --data-dir, or make it a folder this user may write."
        )


class DiskFull(PlaneError):
    exit_code = 11

    def __init__(self, path: Path) -> None:
        super().__init__(f"The disk that holds the data folder {path} is full. Free some space, then try again.")


class FolderInUse(PlaneError):
    exit_code = 12

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Another control plane already serves the data folder {path}. "
            "Use that one, stop it with `inference-endpoints-mcp control-plane stop`, or choose another --data-dir."
        )


class PortInUse(PlaneError):
    exit_code = 13

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} of 127.0.0.1 is in use, or not one this user may take. "
            "Choose another, or name none and any free one is taken."
        )


class StoreUnusable(PlaneError):
    exit_code = 14


class NotSimulated(PlaneError):
    pass


class NotReachable(PlaneError):
    pass
