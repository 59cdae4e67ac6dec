"""A wait that takes longer than a client allows one call."""

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment, all_clients
from tests.frameworks.measured import record
from tests.frameworks.model import stories

from inference_endpoints_mcp.server.holding.host_limits import UNKNOWN_HOST

pytestmark = pytest.mark.timeout(600)
LONGEST_HOLD_S = UNKNOWN_HOST.with_progress
EACH = [
    pytest.param(environment, transport, id=f"{environment.name}-{transport}")
    for environment in all_clients()
    for transport in TRANSPORTS
    # The limits of both transports are the same, and this takes a minute.
    if transport == "stdio" or (environment.about.gives_up_after_s or 0) < LONGEST_HOLD_S
]


@pytest.mark.parametrize(("environment", "transport"), EACH)
def test_a_wait_reaches_its_goal_and_most_answers_arrive(
    environment: Environment, transport: str, site: Site, name: str, job: Job
) -> None:
    site.forget_clients()
    limit = environment.about.gives_up_after_s
    wait = stories.Wait(name)
    job(environment, transport, stories.long_wait(site.world, wait, limit or 5)).check()
    if limit and limit < LONGEST_HOLD_S:
        assert wait.lost < wait.answered
    else:
        assert wait.lost == 0
    record(environment, transport, "long_wait", {"answered": wait.answered, "lost": wait.lost})
