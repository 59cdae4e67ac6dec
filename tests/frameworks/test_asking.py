"""Clients that can ask a person, each by its own documented callback."""

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment, all_clients
from tests.frameworks.measured import record
from tests.frameworks.model import stories

pytestmark = pytest.mark.timeout(600)
ASKING = [environment for environment in all_clients() if environment.about.asks]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("environment", ASKING, ids=lambda environment: environment.name)
def test_a_person_refuses_and_then_approves_the_price_and_the_deletion(
    environment: Environment, transport: str, site: Site, name: str, job: Job
) -> None:
    story = stories.asking(site.world, name)
    recorded = job(environment, transport, story, person_types=stories.priced(name)).check()
    assert recorded.can_ask
    record(environment, transport, "asking", {"asked": True})
