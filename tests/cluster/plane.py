"""A plane as a person starts it, whose endpoints run on a cluster, and two kinds of clients of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import PATIENT, Host, connected
from tests.support.planes.plane_driver import RawClient, RawResponse
from tests.support.polling import eventually

REGION = "rack"
WORKER = "inference_endpoints_local.workers.classify"
"""In the command line of a worker of this model."""
MODEL = "fasttext/lid.176-ftz"
GERMAN = "Guten Morgen, wie geht es dir heute?"
ON_CLUSTER: dict[str, Any] = {
    "repository": MODEL,
    "framework": "pytorch",
    "task": "text-classification",
    "accelerator": "cpu",
    "vendor": "local",
    "region": REGION,
    "instance_type": "cpu",
    "instance_size": "x1",
}


@dataclass
class ClusterPlane:
    """The command `control-plane` with these flags, of the environment in `bin_folder`."""

    flags: list[str]
    bin_folder: Path = Path(sys.prefix) / "bin"
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ie-plane-")))
    url: str = ""
    _process: "subprocess.Popen[str] | None" = None

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text()

    def start(self) -> None:
        """Returns once it serves."""
        prices = self.folder / "prices.toml"
        prices.write_text(f'region = "{REGION}"\ncpu_per_hour = 0.25\n')
        command = [str(self.bin_folder / "inference-endpoints-mcp"), "control-plane", "--json", "--engine=ray"]
        command += [f"--data-dir={self.folder}", "--namespace=acme", f"--ray-prices={prices}", *self.flags]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]

    def clear(self) -> None:
        """End it if it runs, and delete its folder."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        if (sessions := self.folder / "ray").is_symlink():  # of a plane that was killed
            shutil.rmtree(sessions.readlink(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(HANG_TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @contextmanager
    def hub(self) -> Iterator[HfApi]:
        """huggingface_hub as it is; only the service's address is changed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", f"{self.url}/v2")
            patch.setattr(constants, "ENDPOINT", self.url)
            patch.setenv("HF_TOKEN", self.token)
            yield HfApi()

    @asynccontextmanager
    async def host(self) -> AsyncIterator[Host]:
        """A host that started our server with --local on the same data folder."""
        command = str(Path(sys.prefix) / "bin" / "inference-endpoints-mcp")
        arguments = ["--local", "--confirm=off", f"--data-dir={self.folder}"]
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
        async with connected(stdio_client(server), "auto", name=PATIENT) as host:
            yield host

    async def deploy(self, document: dict[str, Any]) -> None:
        answer = await self._client.call("POST", "/v2/endpoint/acme", document, token=self.token)
        assert answer.status == 200, answer

    async def status(self, name: str) -> dict[str, Any]:
        answer = await self._client.call("GET", f"/v2/endpoint/acme/{name}", token=self.token)
        assert answer.status == 200, answer
        return dict(answer.body["status"])

    async def until(self, name: str, what: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the status is so."""
        await self.until_any((name,), what)

    async def until_any(self, names: Sequence[str], what: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the status of one of them is so."""
        seen: list[dict[str, Any]] = []

        async def is_so() -> bool:
            seen[:] = [await self.status(name) for name in names]
            return any(map(what, seen))

        try:
            await eventually(is_so)
        except AssertionError as error:
            raise AssertionError(seen) from error

    async def until_cpus(self, count: int) -> None:
        """Wait until the quota shows that the cluster has so many CPUs."""

        async def are_there() -> bool:
            answer = await self._client.call("GET", "/v2/provider/quotas/acme", token=self.token)
            quotas = [quota for vendor in answer.body["vendors"] for quota in vendor["quotas"]]
            return any(quota["instanceType"] == "cpu" and quota["maxAccelerators"] == count for quota in quotas)

        await eventually(are_there)

    async def call(
        self, name: str, body: Any = None, route: str = "", *, waiting_s: float = HANG_TIMEOUT_S
    ) -> RawResponse:
        """A call that waits for a replica for so long."""
        path = (await self.status(name))["url"].removeprefix(self.url)
        waiting = {"X_Scale_Up_Timeout": str(waiting_s)}
        return await self._client.call("POST", path + route, body or {"inputs": GERMAN}, token=self.token, **waiting)

    @property
    def _client(self) -> RawClient:
        return RawClient(self.url)


def says_german(response: RawResponse) -> bool:
    return bool(response.status == 200 and response.body[0][0]["label"] == "de")


def is_running(status: dict[str, Any]) -> bool:
    return bool(status["state"] == "running")
