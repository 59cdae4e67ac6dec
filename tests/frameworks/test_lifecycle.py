"""Each client, with its defaults, deploys a real model, waits for it, talks to it, and deletes it."""

from dataclasses import asdict

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment, all_clients
from tests.frameworks.measured import record
from tests.frameworks.model import stories

pytestmark = [pytest.mark.models, pytest.mark.timeout(600)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("environment", all_clients(), ids=lambda environment: environment.name)
def test_a_model_deploys_waits_chats_is_refused_and_deletes(
    environment: Environment, transport: str, site: Site, job: Job
) -> None:
    name = f"{environment.name}-{transport}"
    recorded = job(environment, transport, stories.lifecycle(site.world, name)).check()
    job(environment, transport, stories.deletion(site.world, name), approval="plan").check()
    record(environment, transport, "lifecycle", asdict(recorded))
