"""Calls of endpoints on a Ray cluster of one node and of two, against the same on this machine and against Ray's own
proxy. Needs Linux, root and Ray, as `make test-cluster` does. All nodes share the processor: a second adds none."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.benchmarks.first_token import MODEL as CHAT
from tests.benchmarks.first_token import stopwatch, until_first_token
from tests.benchmarks.measure import Figure, Report, in_turns, milliseconds
from tests.benchmarks.peers.plane import running_plane
from tests.cluster.machines import TwoMachines, two_machines
from tests.cluster.plane import GERMAN, MODEL, REGION, ClusterPlane
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints.transport.http import httpx
from inference_endpoints_local.daemon.cluster.cluster_engine import KEY_FILE
from inference_endpoints_local.engines.ray.ownership import PlaneKey
from inference_endpoints_local.models import weights
from inference_endpoints_local.models.catalogue import resolve_model

AT_ONCE = 16
LOOK_EVERY_S = 0.02
_BODY = {"inputs": GERMAN}


@dataclass(frozen=True)
class Service:
    """A control plane and a client of it. `endpoints` is where those of its namespace are."""

    endpoints: str
    region: str
    http: httpx.Client

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": self.http.headers["authorization"]}

    def deploy(self, name: str, repository: str, task: str) -> str:
        """Returns the endpoint's address once its replica serves."""
        scaling = {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}
        document = {
            "name": name,
            "type": "authenticated",
            "provider": {"vendor": "local", "region": self.region},
            "compute": {"accelerator": "cpu", "instanceType": "cpu", "instanceSize": "x1", "scaling": scaling},
            "model": {"repository": repository, "task": task, "framework": "pytorch", "image": {"huggingface": {}}},
        }
        self.http.post(self.endpoints, json=document).raise_for_status()
        return str(self.until(name, lambda status: status["state"] == "running")["url"])

    def scale(self, name: str, replicas: int) -> None:
        scaling = {"minReplica": replicas, "maxReplica": replicas}
        self.http.put(f"{self.endpoints}/{name}", json={"compute": {"scaling": scaling}}).raise_for_status()
        self.until(name, lambda status: status["readyReplica"] == replicas and status["state"] == "running")

    def until(self, name: str, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The endpoint's status as soon as it is so."""
        deadline = time.monotonic() + HANG_TIMEOUT_S
        while not what(status := self.http.get(f"{self.endpoints}/{name}").raise_for_status().json()["status"]):
            assert time.monotonic() < deadline, status
            time.sleep(LOOK_EVERY_S)
        return dict(status)

    def wake(self, name: str, url: str) -> float:
        """Seconds until a call that finds no replica is answered."""
        self.http.post(f"{self.endpoints}/{name}/scale-to-zero").raise_for_status()
        self.until(name, lambda status: status["state"] == "scaledToZero")
        waiting = {"X-Scale-Up-Timeout": str(HANG_TIMEOUT_S)}
        return milliseconds(lambda: self.http.post(url, json=_BODY, headers=waiting).raise_for_status()) / 1_000

    def delete(self, name: str) -> None:
        self.http.delete(f"{self.endpoints}/{name}").raise_for_status()


def run(rounds: int = 5, calls: int = 200) -> Report:
    for repository in (MODEL, CHAT):
        resolve_model(repository).files(weights.default_cache_dir())  # the machines have no way out
    figures: list[Figure] = []
    with ExitStack() as stack:
        cluster = stack.enter_context(two_machines())
        plane = stack.enter_context(_plane_of(cluster))
        here, ray = stack.enter_context(_on_this_machine()), stack.enter_context(_service_of(plane))
        urls = [service.deploy("lang", MODEL, "text-classification") for service in (here, ray)]
        proxy, secret = _behind_the_gateway(cluster, plane)
        ways = [(url, service.headers) for url, service in zip(urls, (here, ray), strict=True)]
        ways.append((proxy, {"Authorization": f"Bearer {secret}"}))
        alone = in_turns(rounds, *(partial(_latency_ms, *way, calls) for way in ways))
        loaded = in_turns(rounds, *(partial(_per_second, *way, calls) for way in ways))
        woken = in_turns(rounds, partial(here.wake, "lang", urls[0]), partial(ray.wake, "lang", urls[1]))
        ray.scale("lang", 2)
        two = in_turns(rounds, partial(_per_second, *ways[1], calls), partial(_per_second, *ways[0], calls))
        for service in (here, ray):
            service.delete("lang")
        urls = [service.deploy("chat", CHAT, "text-generation") for service in (here, ray)]
        chats = [(ray.http, urls[1]), (here.http, urls[0])]
        first = in_turns(rounds, *(partial(_first_token_ms, *chat) for chat in chats))
    figures += [
        Figure.pair("a light call, against this machine's", "ms", [alone[1], alone[0]]),
        Figure.pair("a light call, against Ray's proxy", "ms", [alone[1], alone[2]]),
        Figure.pair(f"calls, {AT_ONCE} at once, against this machine's", "calls/s", [loaded[1], loaded[0]]),
        Figure.pair(f"calls, {AT_ONCE} at once, against Ray's proxy", "calls/s", [loaded[1], loaded[2]]),
        Figure.pair(f"calls, {AT_ONCE} at once, on two nodes, against this machine's", "calls/s", two),
        Figure.pair("waking by a call, against this machine's", "s", [woken[1], woken[0]]),
        Figure.pair(f"first token ({CHAT}), against this machine's", "ms", first),
    ]
    return Report("Calls through the gateway, on a Ray cluster", "the other", figures, "Of calls/s, more is better.")


@contextmanager
def _plane_of(cluster: TwoMachines) -> Iterator[ClusterPlane]:
    plane = ClusterPlane([f"--ray-address={cluster.address}", f"--ray-token-file={cluster.token_file}"])
    try:
        plane.start()
        asyncio.run(plane.until_cpus(2))
        yield plane
    finally:
        plane.clear()


@contextmanager
def _service_of(plane: ClusterPlane) -> Iterator[Service]:
    with _client(plane.token) as http:
        yield Service(f"{plane.url}/v2/endpoint/acme", REGION, http)


@contextmanager
def _on_this_machine() -> Iterator[Service]:
    with running_plane() as plane, _client(plane.connection.token) as http:
        yield Service(plane.path(), "machine", http)


def _client(token: str) -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=HANG_TIMEOUT_S)


def _behind_the_gateway(cluster: TwoMachines, plane: ClusterPlane) -> tuple[str, str]:
    """The address of the only replica at Ray's proxy, and its secret: how our gateway calls it."""
    with _client(cluster.token_file.read_text()) as ray:
        (name,) = ray.get(f"{cluster.address}/api/serve/applications/").raise_for_status().json()["applications"]
    return f"http://{cluster.head.address}:8000/{name}/", PlaneKey(plane.folder / KEY_FILE).call_secret(name)


def _latency_ms(url: str, headers: dict[str, str], calls: int) -> float:
    """The mean of calls one after the other, on one connection."""
    with httpx.Client(headers=headers, timeout=HANG_TIMEOUT_S) as http:

        def call_often(times: int) -> None:
            for _ in range(times):
                http.post(url, json=_BODY).raise_for_status()

        call_often(1)
        return milliseconds(partial(call_often, calls)) / calls


def _per_second(url: str, headers: dict[str, str], calls: int) -> float:
    return asyncio.run(_at_once(url, headers, calls))


async def _at_once(url: str, headers: dict[str, str], calls: int) -> float:
    async with httpx.AsyncClient(headers=headers, timeout=HANG_TIMEOUT_S) as http:

        async def some() -> None:
            for _ in range(calls // AT_ONCE):
                (await http.post(url, json=_BODY)).raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return calls // AT_ONCE * AT_ONCE / (time.perf_counter() - started)


def _first_token_ms(http: httpx.Client, url: str) -> float:
    return until_first_token(http, url, stopwatch()) * 1_000
