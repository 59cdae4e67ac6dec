"""Clients that give up after five seconds wait for an endpoint that takes longer, by doing as each answer says."""

import re

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment
from tests.frameworks.model import stories
from tests.frameworks.model.stories import Call, Story, World

pytestmark = pytest.mark.timeout(600)

_FOLLOWING = re.compile(r"next\W+tool\W+wait_for_endpoint.*?timeout_s\W+(\d+)", re.DOTALL)
_WAITED = re.compile(r"waited_s\W+([\d.]+)")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", ["openai-agents", "google-adk"])
def test_an_endpoint_that_starts_slower_than_the_client_waits_is_waited_for(
    name: str, transport: str, site: Site, job: Job
) -> None:
    waits: list[str] = []
    endpoint = f"{name}-{transport}-long"
    result = job(Environment(name), transport, waiting(site.world, endpoint, waits), approval="plan")
    assert result.model.failure is None, f"{result.model.failure}\n{result.output}"
    assert (result.model.ended, result.exit_code) == (True, 0), result.output
    held = [float(found[1]) for found in map(_WAITED.search, waits) if found]
    assert held[0] < 4
    assert len(waits) - len(held) <= 1, f"more than one call was lost: {waits}"


def waiting(world: World, name: str, waits: list[str]) -> Story:
    """Wait as the answers say. A call that was lost is made again."""
    create = Call("create_endpoint", stories.gpu_endpoint(name))
    yield from stories.by_token(world, stories.priced(name), create, exists_before=False)
    arguments = {"endpoint_name": stories.priced(name), "timeout_s": 600}
    while world.state(stories.priced(name)) != "running":
        waits.append((yield Call("wait_for_endpoint", arguments)))
        if following := _FOLLOWING.search(waits[-1]):
            arguments = arguments | {"timeout_s": int(following[1])}
    yield Call("wait_for_endpoint", arguments)
    delete = Call("delete_endpoint", {"endpoint_name": stories.priced(name)})
    yield from stories.by_token(world, stories.priced(name), delete, exists_before=True)
