"""From `create` to the first token of a real chat model: through the server's tools, and through plain REST."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.benchmarks.measure import Figure, Report, in_turns
from tests.benchmarks.peers.peer import OUR_SERVER, Peer
from tests.benchmarks.peers.plane import Plane, running_plane

from inference_endpoints.transport.http import httpx

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
QUESTION = "Say hello."
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Timeline:
    """Seconds from the sending of `create`."""

    accepted: float
    running: float
    first_token: float


def run(rounds: int = 5) -> Report:
    """The round before the first fetches the weights, where they are not there yet, and does not count."""
    numbers = count()
    flags = ["--confirm", "off", "--hold", "600"]
    with running_plane() as plane, Peer([*OUR_SERVER, *plane.server_options, *flags]) as server:
        server.begin()
        both = in_turns(
            rounds,
            lambda: _through_tools(server, f"chat-{next(numbers)}"),
            lambda: _through_rest(plane, f"chat-{next(numbers)}"),
        )
    parts: dict[str, Callable[[Timeline], float]] = {
        "create until accepted": lambda line: line.accepted,
        "accepted until seen to run": lambda line: line.running - line.accepted,
        "request until the first token": lambda line: line.first_token - line.running,
        "create to first token": lambda line: line.first_token,
    }
    figures = [Figure.pair(what, "s", [[of(line) for line in lines] for lines in both]) for what, of in parts.items()]
    return Report(f"From create to the first token ({MODEL})", "plain REST", figures)


def _through_tools(server: Peer, name: str) -> Timeline:
    since, spoken = stopwatch(), list[float]()

    def listen(message: str) -> None:
        if message.startswith("writing"):
            spoken.append(since())

    server.call("create_endpoint", endpoint_name=name, repository=MODEL)
    accepted = since()
    server.call("wait_for_endpoint", endpoint_name=name)
    running = since()
    server.call("chat_with_endpoint", listen, endpoint_name=name, message=QUESTION, max_tokens=16)
    server.call("delete_endpoint", endpoint_name=name)
    return Timeline(accepted, running, spoken[0])


def _through_rest(plane: Plane, name: str) -> Timeline:
    since = stopwatch()
    created = plane.http.post(plane.path(), json=_payload(name)).raise_for_status().json()
    accepted = since()
    while created["status"]["state"] != "running":
        time.sleep(LOOK_EVERY_S)
        created = plane.get(name)
    running = since()
    first_token = until_first_token(plane.http, created["status"]["url"], since)
    plane.http.delete(plane.path(name)).raise_for_status()
    return Timeline(accepted, running, first_token)


def until_first_token(http: httpx.Client, url: str, since: Callable[[], float]) -> float:
    """What the stopwatch shows at the first words of a streamed answer."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16, "stream": True}
    first = 0.0
    with http.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            if not first and line.startswith("data: {") and _speaks(json.loads(line.removeprefix("data: "))):
                first = since()
    return first


def _speaks(chunk: dict[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in chunk["choices"])


def _payload(name: str) -> dict[str, Any]:
    scaling = {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}
    return {
        "name": name,
        "type": "private",
        "provider": {"vendor": "local", "region": "machine"},
        "compute": {"accelerator": "cpu", "instanceType": "cpu", "instanceSize": "x1", "scaling": scaling},
        "model": {"repository": MODEL, "framework": "pytorch", "image": {"huggingface": {}}},
    }


def stopwatch() -> Callable[[], float]:
    started = time.perf_counter()
    return lambda: time.perf_counter() - started
