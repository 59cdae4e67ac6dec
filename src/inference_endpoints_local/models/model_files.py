"""Model files that a caller named by their path: opened as every such file, and read without stopping the plane."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from inference_endpoints.confined_files import ConfinedFolders as ModelFolders
from inference_endpoints.confined_files import NoConfinedFile as NoModelFile
from inference_endpoints.confined_files import OpenFile as ModelFile

__all__ = ["ANYWHERE", "ModelFile", "ModelFolders", "NoModelFile", "read_in_time"]

READ_TIMEOUT_S = 10.0
"""How long to wait for a file. Those of a network that is gone do not answer."""
# Threads of their own: one that hangs must not keep weights from being fetched.
_readers = ThreadPoolExecutor(2, thread_name_prefix="model files")

P = ParamSpec("P")
T = TypeVar("T")

ANYWHERE = ModelFolders.of(())


async def read_in_time(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what reads files in a thread, so that no disk can stop the plane. Raises TimeoutError."""
    async with asyncio.timeout(READ_TIMEOUT_S):
        return await asyncio.get_running_loop().run_in_executor(_readers, lambda: read(*args, **kwargs))
