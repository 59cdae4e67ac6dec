"""A child process of the plane: its environment, its output, and its end."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence

from inference_endpoints_local.state.record import Spec

STOP_TIMEOUT_S = 5.0
"""How long a worker may take to end before it is killed."""
MAX_LINE_BYTES = 1 << 20
INHERITED_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT", "TEMP", "TMP")


def worker_environment(spec: Spec, threads: int) -> Mapping[str, str]:
    """A worker's environment: what a program needs to run, and the endpoint's variables. None of the plane's."""
    kept = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    ours = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": str(threads)}
    own: dict[str, str] = spec["model"]["env"] | spec["model"]["secrets"]
    return kept | ours | own


async def spawn(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Start the process with pipes for its three streams. In the loop's thread: a worker may die with that thread."""
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        limit=MAX_LINE_BYTES,
        # Signals of the plane's terminal must not reach its workers.
        start_new_session=True,
    )


async def read_line(stream: asyncio.StreamReader) -> str:
    """The next line, or "" at the end. A line too long for the buffer is skipped in pieces."""
    try:
        line = await stream.readline()
    except ValueError:
        line = b"(a line too long to keep)\n"
    return line.decode("utf-8", "replace")


async def end(process: Process) -> None:
    """Close its stdin and send SIGTERM, then SIGKILL. Returns when it has ended."""
    if process.returncode is not None:
        return
    if process.stdin:
        process.stdin.close()
    for signal in (process.terminate, process.kill):
        try:
            signal()
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
                return
        except TimeoutError:
            continue
    await process.wait()
