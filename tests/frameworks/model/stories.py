"""What the scripted model does. A story reads what a model reads, the text of each answer, and the state of the plane.

A story yields the calls of tools, and is sent the text of each answer as the framework passed it on.
"""

import asyncio
import json
import re
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.support.polling import eventually

from inference_endpoints import EndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.transport.backend import local
from inference_endpoints_local.daemon.connect import RunningPlane

CHAT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
L4 = "aws-us-east-1-nvidia-l4-x1"
MOST_WAITS = 40
STARTS = {
    5: ("Qwen/Qwen2.5-1.5B-Instruct", L4),
    30: ("Qwen/Qwen2.5-7B-Instruct", L4),
    60: ("Qwen/Qwen2.5-7B-Instruct", "aws-us-east-1-nvidia-l4-x4"),
}
"""A model and its hardware that start later than so many seconds, at the speed of the tests' simulation."""

# An answer may arrive inside JSON, or as Python shows it.
_TOKEN = re.compile(r"plan_token\W+([A-Za-z0-9_.=-]{40,})")
_REACHED = re.compile(r"reached\W+(true|false)", re.IGNORECASE)
_NEXT = re.compile(r'"next":\s*\[\{"tool":\s*"(\w+)",\s*"arguments":\s*(\{[^{}]*\})')
_GENERATED = re.compile(r"completion_tokens\W+[1-9]")


@dataclass(frozen=True)
class Call:
    tool: str
    arguments: dict[str, Any]


Story = Generator[Call, str, None]


class World:
    """The endpoints of a plane, read from the plane itself."""

    def __init__(self, plane: RunningPlane) -> None:
        self._client = EndpointsClient(local(plane.url, plane.token), namespace=plane.namespace)

    def state(self, name: str) -> str | None:
        """None if there is no such endpoint."""
        try:
            return self._client.get(name).state
        except NotFound:
            return None

    def exists(self, name: str) -> bool:
        return self.state(name) is not None

    def has_generated(self, name: str) -> bool:
        """Whether its engine has written anything, as of some seconds ago."""
        graphs = self._client.metrics(name, start=timedelta(hours=1))
        series = graphs.inference.ttft.series if graphs.inference else []
        return any(point.y for each in series for point in each.data)

    def delete(self, name: str) -> None:
        """Delete it if it exists."""
        with suppress(NotFound):
            self._client.delete(name)

    def close(self) -> None:
        self._client.close()


def priced(name: str) -> str:
    """The endpoint beside it that has a price, so that creating it needs approval."""
    return f"{name}-gpu"


def lifecycle(world: World, name: str) -> Story:
    """Deploy, wait, chat; be refused to delete; deploy at a price, by a plan's token."""
    answer = yield Call("create_endpoint", {"endpoint_name": name, "repository": CHAT_MODEL})
    assert world.exists(name), answer
    yield from Wait(name).story()
    assert world.state(name) == "running"
    yield from chat(Call("chat_with_endpoint", {"endpoint_name": name, "message": "Say hello.", "max_tokens": 8}))

    answer = yield Call("delete_endpoint", {"endpoint_name": name})
    assert "needs a person's approval, and this host cannot ask for it: nothing was deleted" in answer, answer
    assert "Pausing stops the billing" in answer, answer
    assert world.exists(name), answer

    yield from by_token(world, priced(name), Call("create_endpoint", gpu_endpoint(name)), exists_before=False)


def deletion(world: World, name: str) -> Story:
    """Delete both endpoints by a plan's token: the operator chose plans, as this host cannot ask.

    By now the engine has counted the chat, which takes it some seconds.
    """
    asyncio.run(eventually(lambda: world.has_generated(name), "the engine counted the chat"))
    for each in (priced(name), name):
        yield from by_token(world, each, Call("delete_endpoint", {"endpoint_name": each}), exists_before=True)


def asking(world: World, name: str) -> Story:
    """Create at a price and delete, each approved by a person, who refuses the first time."""
    creation = Call("create_endpoint", gpu_endpoint(name))
    answer = yield creation
    assert not world.exists(priced(name)), answer
    assert "It was not approved: nothing was changed" in answer, answer
    answer = yield creation
    assert world.exists(priced(name)), answer
    assert "A person was asked" in answer, answer
    answer = yield Call("delete_endpoint", {"endpoint_name": priced(name)})
    assert not world.exists(priced(name)), answer


def chat(call: Call) -> Story:
    """Make the call, and the one that its answer proposes where the model needs longer, until it has written."""
    for _ in range(MOST_WAITS):
        answer = yield call
        if _GENERATED.search(answer):
            return
        call = proposed(answer) or call
    raise AssertionError(answer)


def gpu_endpoint(name: str) -> dict[str, Any]:
    return {"endpoint_name": priced(name), "repository": "Qwen/Qwen2.5-1.5B-Instruct", "hardware": L4}


def by_token(world: World, name: str, call: Call, *, exists_before: bool) -> Story:
    """Make a call twice: it shows its plan and changes nothing, then its token carries it out."""
    answer = yield call
    assert world.exists(name) is exists_before, answer
    token = _TOKEN.search(answer)
    assert token, answer
    answer = yield Call(call.tool, call.arguments | {"plan_token": token[1]})
    assert world.exists(name) is not exists_before, answer


@dataclass
class Wait:
    """A wait. `answered` and `lost` count its calls by what became of their answers. A lost one is made again."""

    name: str
    answered: int = 0
    lost: int = 0

    def story(self) -> Story:
        call = Call("wait_for_endpoint", {"endpoint_name": self.name})
        for _ in range(MOST_WAITS):
            answer = yield call
            reached = _REACHED.search(answer)
            if reached is None:
                self.lost += 1
                continue
            self.answered += 1
            if reached[1].lower() == "true":
                return
            call = proposed(answer) or call
        raise AssertionError(answer)


def proposed(answer: str) -> Call | None:
    """The call under `next`, if it is there."""
    found = _NEXT.search(answer.replace('\\"', '"'))
    return Call(found[1], json.loads(found[2])) if found else None


def long_wait(world: World, wait: Wait, longer_than_s: int) -> Story:
    """Wait for a simulated endpoint that starts later than in so many seconds."""
    repository, hardware = next(start for limit, start in STARTS.items() if limit >= longer_than_s)
    spec = {"endpoint_name": wait.name, "repository": repository, "hardware": hardware}
    yield from by_token(world, wait.name, Call("create_endpoint", spec), exists_before=False)
    yield from wait.story()
    assert world.state(wait.name) == "running"
