"""A server in a process of its own, on a plane whose simulated time stands, with a key for each caller."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen

import psutil
from tests.benchmarks.peers.peer import OUR_SERVER, Era
from tests.benchmarks.peers.plane import Plane, running_plane
from tests.load.callers import Caller
from tests.support.command import write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.http.sign_in.keys import NamedKey

START_S = 1_000.0
"""Simulated seconds in which any endpoint has started."""


@dataclass(frozen=True)
class Served:
    """The server, with what is seen of it from outside."""

    plane: Plane
    process: psutil.Process
    address: str
    metrics: str
    keys: Sequence[str]

    @property
    def memory_kb(self) -> float:
        return float(self.process.memory_info().rss) / 1e3

    @property
    def connections(self) -> int:
        """Open connections of callers."""
        port = int(self.address.removesuffix("/mcp").rpartition(":")[2])
        return sum(
            each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
            for each in self.process.net_connections("tcp")
        )

    async def is_idle(self) -> bool:
        """Whether no call runs, and no endpoint is polled."""
        async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
            text = (await client.get(self.metrics)).text
        values = re.findall(r"^inference_endpoints_mcp_current\{\S+ (\S+)$", text, re.MULTILINE)
        assert len(values) == 3, text
        return all(float(value) == 0 for value in values)

    def create_fleet(self, names: Sequence[str]) -> None:
        """Endpoints that begin to start, and never end it until `let_them_start`."""
        for name in names:
            self.plane.create(name)

    def let_them_start(self) -> None:
        address = f"{self.plane.connection.url}/local/clock"
        self.plane.http.post(address, json={"advance_s": START_S}, timeout=HANG_TIMEOUT_S).raise_for_status()

    def delete_fleet(self, names: Sequence[str]) -> None:
        for name in names:
            self.plane.http.delete(self.plane.path(name)).raise_for_status()

    @asynccontextmanager
    async def callers(self, number: int) -> AsyncIterator[list[Caller]]:
        """So many callers, one half of each era. Afterwards the server has nothing open for them."""
        async with AsyncExitStack() as stack:
            eras = [Era.MODERN, Era.LEGACY] * number
            callers = [Caller(self.address, era, key) for era, key in zip(eras, self.keys[:number], strict=False)]
            for caller in callers:
                stack.push_async_callback(caller.end)
            await asyncio.gather(*(caller.begin() for caller in callers))
            yield callers
        await eventually(self.is_idle, "no call runs, and nothing is polled")
        await eventually(lambda: self.connections == 0, "no connection of a caller is open")


@contextmanager
def serving_many(folder: Path, callers: int) -> Iterator[Served]:
    named, keys = zip(*(NamedKey.create(f"caller-{number}", None) for number in range(callers)), strict=True)
    file = write_private(folder / "keys", "".join(f"{each}\n" for each in named))
    with running_plane(speed=1e-6, quota=1_000) as plane, (folder / "log").open("w") as log:
        flags = ["serve", "--http", "--port", "0", "--keys", str(file), "--metrics", "127.0.0.1:0"]
        command = [sys.executable, *OUR_SERVER, *flags, *plane.server_options]
        with Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=log) as process:
            try:
                address, metrics = asyncio.run(_addresses(process, folder / "log"))
                yield Served(plane, psutil.Process(process.pid), address, metrics, keys)
            finally:
                process.terminate()


async def _addresses(process: "Popen[bytes]", log: Path) -> tuple[str, str]:
    """Where `/mcp` and `/metrics` are, as the server prints them."""

    def printed() -> list[str]:
        assert process.poll() is None, log.read_text()
        return re.findall(r"http://\S+/(?:mcp|metrics)", log.read_text())

    await eventually(lambda: len(printed()) == 2, "the server says where it is")
    first, second = printed()
    return (first, second) if first.endswith("/mcp") else (second, first)
