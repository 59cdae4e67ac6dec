"""The errors of starting, joining and stopping a plane. A message states what is true and what to do next.

PlaneError
├── FolderUnusable   the data folder is not a folder, or this user may not write to it
├── DiskFull         the disk of the data folder has no space
├── FolderInUse      another plane serves the folder (raised only by a plane in the foreground)
├── PortInUse        the requested port cannot be used
├── StoreUnusable    the endpoints stored in the folder cannot be read
├── ClusterUnusable  the Ray cluster must not be used as it is, cannot be started, or is another than the folder's
├── NotSimulated     a simulation is required, and the running plane has none and is busy
└── NotReachable     the plane did not start, does not answer, or has ended
"""

from pathlib import Path
from typing import ClassVar


class PlaneError(Exception):
    """The root of these errors. A daemon that fails with one exits with `exit_code`."""

    exit_code: ClassVar[int] = 1


class FolderUnusable(PlaneError):
    exit_code = 10

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The data folder {path} cannot be used: {why}. "
            "Choose another with --data-dir, or make it a folder that this user may write to."
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
            f"Port {port} of 127.0.0.1 is in use, or this user may not use it. "
            "Choose another, or omit the port to use any free one."
        )


class StoreUnusable(PlaneError):
    exit_code = 14


class ClusterUnusable(PlaneError):
    exit_code = 15


class NotSimulated(PlaneError):
    pass


class NotReachable(PlaneError):
    pass
