"""A wait that takes longer than a client allows one call."""

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment, all_clients
from tests.frameworks.measured import record
from tests.frameworks.model import stories

pytestmark = pytest.mark.timeout(600)
HOLD_S = 50
"""The longest that the server holds a call of a client that it does not know."""
MOST_LOST = 2
"""Calls by which it finds out what a client bears: several clients call themselves `mcp`."""


EACH = [
    pytest.param(environment, transport, id=f"{environment.name}-{transport}")
    for environment in all_clients()
    for transport in TRANSPORTS
    # The limits of both transports are the same, and this takes a minute.
    if transport == "stdio" or (environment.about.gives_up_after_s or 0) < HOLD_S
]


@pytest.mark.parametrize(("environment", "transport"), EACH)
def test_a_wait_is_called_again_until_it_reached_its_goal(
    environment: Environment, transport: str, site: Site, name: str, job: Job
) -> None:
    gives_up_after_s = environment.about.gives_up_after_s
    wait = stories.LongWait(site.world, name, gives_up_after_s or 5)
    job(environment, transport, wait.story()).check()
    if gives_up_after_s is None or gives_up_after_s > HOLD_S:
        assert wait.lost == 0
    assert wait.lost <= MOST_LOST
    record(environment, transport, "long_wait", {"answered": wait.answers, "lost": wait.lost})
