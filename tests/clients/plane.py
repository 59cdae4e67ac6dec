"""A plane as hosts start it: in a process of its own, found through its data folder."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_endpoints_local.daemon.connect import RunningPlane, StartOptions, connect_plane, stop_plane

SPEED = 2_000.0
"""Simulated endpoints run after 70 ms, and after 450 ms without a request those that may sleep do."""


@contextmanager
def running_plane() -> Iterator[RunningPlane]:
    """One that simulates the clouds beside this machine, in namespace `acme`."""
    options = StartOptions(namespace="acme", simulated=True, simulated_speed=SPEED, linger=600)
    with tempfile.TemporaryDirectory() as folder:
        plane = asyncio.run(connect_plane(Path(folder), options))
        try:
            yield plane
        finally:
            asyncio.run(stop_plane(Path(folder)))
