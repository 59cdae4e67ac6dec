"""A broker, and replicas of one server that share it."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.broker.broker import PASSWORD, PROGRAM, Broker
from tests.support.command import Run, Start, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Answer, Host, Mode, connected

from inference_endpoints.transport.http import httpx

OLD, NEW = "o" * 64, "n" * 64
KEEPS_NOTHING = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, so that each goes to another replica."""


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"needs {PROGRAM}: apt-get install {PROGRAM}")
    broker = Broker(tmp_path_factory.mktemp("b"))
    broker.start()
    yield broker
    broker.kill()


@dataclass
class Replicas:
    """Starts replicas, each a process; all act on one simulated plane."""

    start: Callable[..., Any]
    broker: Broker
    folder: Path

    def addresses(self, *flags: str, count: int = 2) -> list[str]:
        return [address_of(process) for process in self.processes(*flags, count=count)]

    def processes(self, *flags: str, count: int = 2) -> list[Any]:
        return [self.one(f"{OLD}\n", *flags) for _ in range(count)]

    def one(self, keys: str, *flags: str, plane: Path | None = None) -> Any:
        """One replica with these sealing keys, on the plane of this folder."""
        file = write_private(self.folder / f"keys-{keys[:1]}{len(keys)}", keys)
        password = write_private(self.folder / "password", PASSWORD)
        shared = ["--broker", self.broker.url, "--broker-password-file", str(password), "--sealing-keys", str(file)]
        local = ["--local", "--simulated", "--data-dir", str(plane or self.folder / "plane"), "--confirm-simulated"]
        return self.start("serve", "--http", "--port", "0", *local, *shared, *flags)


@pytest.fixture
def replicas(start: Start, broker: Broker, tmp_path: Path, run: Run) -> Iterator[Replicas]:
    yield Replicas(start, broker, tmp_path)
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


@asynccontextmanager
async def host_at(address: str, mode: Mode = "auto", answer: Answer | None = None) -> AsyncIterator[Host]:
    async with (
        httpx.AsyncClient(limits=KEEPS_NOTHING, timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(address, http_client=client), mode, answer=answer) as host,
    ):
        yield host
