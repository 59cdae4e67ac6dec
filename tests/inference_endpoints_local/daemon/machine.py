"""A machine on which hosts and people share the plane of one data folder: real processes, observed from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.service.captures import CAPTURES

from inference_endpoints_local.daemon.connect import RunningPlane, find_plane

CREATE = CAPTURES / "create-minimal-hub-2.4.0.json"

HOST = """
import asyncio, sys
from contextlib import aclosing, suppress
from pathlib import Path
from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, take_lease

async def main():
    plane = await connect_plane(Path(sys.argv[1]), StartOptions(simulated=True, linger=float(sys.argv[2])))
    async with aclosing(await take_lease(plane)):
        print(plane.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

Process = subprocess.Popen[str]


class Machine:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._started: list[Process] = []

    @property
    def plane(self) -> RunningPlane:
        """The plane, which must be running."""
        plane = find_plane(self.data_dir)
        assert plane is not None
        return plane

    def start_host(self, linger: float = 60.0) -> Process:
        """A host's server: it connects, takes a lease and prints the plane's process id."""
        return self._start("-c", HOST, str(self.data_dir), str(linger))

    def serve(self, *arguments: str) -> Process:
        """A plane as a person starts it. It prints its address."""
        module = "inference_endpoints_local.daemon"
        return self._start("-m", module, "--data-dir", str(self.data_dir), "--json", *arguments)

    def kill(self, process: Process) -> None:
        """Kill the whole process group at once, as hosts do with the servers they started."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def clear(self) -> None:
        for process in self._started:
            self.kill(process)
        for left in self.processes():
            with suppress(psutil.NoSuchProcess):  # it may end by itself
                left.kill()

    def processes(self) -> list[psutil.Process]:
        """Every process for this data folder."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return any(str(self.data_dir) in word for word in process.cmdline()) or Path(process.cwd()) == self.data_dir
        except psutil.Error:
            return False

    def _start(self, *arguments: str) -> Process:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process


async def line_of(process: Process) -> str:
    """The next line that a process prints. Fails if it ends instead."""
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert line, "it ended without output"
    return line.strip()


async def status_of(url: str, token: str, method: str = "GET") -> int:
    """The status of the response to a plain client."""
    return (await asyncio.to_thread(_send, url, token, method, None))[0]


async def endpoints_of(plane: RunningPlane) -> list[str]:
    """The names of the plane's endpoints."""
    status, body = await asyncio.to_thread(_send, _endpoints(plane), plane.token, "GET", None)
    assert status == 200
    return [item["name"] for item in json.loads(body)["items"]]


async def create_endpoint(plane: RunningPlane, body: bytes | None = None) -> None:
    """Create endpoint `e`, simulated unless the body sets other hardware."""
    status, _ = await asyncio.to_thread(_send, _endpoints(plane), plane.token, "POST", body or CREATE.read_bytes())
    assert status == 200


async def quotas_of(plane: RunningPlane) -> dict[str, set[int]]:
    """The quotas of each vendor."""
    url = f"{plane.url}/v2/provider/{plane.namespace}"
    vendors = json.loads((await asyncio.to_thread(_send, url, plane.token, "GET", None))[1])["vendors"]
    return {
        vendor["name"]: {one["quota"]["maxAccelerators"] for region in vendor["regions"] for one in region["computes"]}
        for vendor in vendors
    }


def _endpoints(plane: RunningPlane) -> str:
    return f"{plane.url}/v2/endpoint/{plane.namespace}"


def _send(url: str, token: str, method: str, body: bytes | None) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=HANG_TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
