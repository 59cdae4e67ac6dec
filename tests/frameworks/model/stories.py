"""What the scripted model does. A story reads what a model reads, the text of each answer, and the state of the plane.

A story yields the calls of tools, and is sent the text of each answer as the framework passed it on.
"""

import re
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

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
_FOLLOWING = re.compile(r"next\W+tool\W+wait_for_endpoint.*?timeout_s\W+(\d+)", re.DOTALL)
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
    yield from wait_until_running(name)
    assert world.state(name) == "running"
    answer = yield Call("chat_with_endpoint", {"endpoint_name": name, "message": "Say hello.", "max_tokens": 8})
    assert _GENERATED.search(answer), answer

    answer = yield Call("delete_endpoint", {"endpoint_name": name})
    assert "needs a person's approval, and this host cannot ask for it: nothing was deleted" in answer, answer
    assert "Pausing stops the billing" in answer, answer
    assert world.exists(name), answer

    yield from by_token(world, priced(name), Call("create_endpoint", gpu_endpoint(name)), exists_before=False)


def deletion(world: World, name: str) -> Story:
    """Delete both endpoints by a plan's token: the operator chose plans, as this host cannot ask."""
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


def wait_until_running(name: str) -> Story:
    """Wait as the tool says: call it again until it reached its goal."""
    for _ in range(MOST_WAITS):
        answer = yield Call("wait_for_endpoint", {"endpoint_name": name})
        reached = _REACHED.search(answer)
        if reached and reached[1].lower() == "true":
            return
    raise AssertionError(answer)


@dataclass
class LongWait:
    """A wait for a simulated endpoint that starts later than a client gives up a call.

    It does as each answer says; a call that was lost is made again. `answers` and `lost` count the calls that were and
    were not answered.
    """

    world: World
    name: str
    longer_than_s: int
    answers: int = 0
    lost: int = 0

    def story(self) -> Story:
        repository, hardware = next(start for limit, start in STARTS.items() if limit >= self.longer_than_s)
        spec = {"endpoint_name": priced(self.name), "repository": repository, "hardware": hardware}
        yield from by_token(self.world, priced(self.name), Call("create_endpoint", spec), exists_before=False)
        wait: dict[str, Any] = {"endpoint_name": priced(self.name)}
        for _ in range(MOST_WAITS):
            answer = yield Call("wait_for_endpoint", wait)
            reached, following = _REACHED.search(answer), _FOLLOWING.search(answer)
            if reached is None:
                self.lost += 1
            else:
                self.answers += 1
                if reached[1].lower() == "true":
                    return
                assert following, answer
                wait |= {"timeout_s": int(following[1])}
        raise AssertionError(answer)
