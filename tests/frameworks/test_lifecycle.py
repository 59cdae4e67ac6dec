"""Each client, with its defaults, deploys a real model, waits for it, talks to it, and deletes it."""

from dataclasses import asdict
from typing import Any

import pytest
from tests.frameworks.conftest import TRANSPORTS, Job, Site
from tests.frameworks.environments import Environment, all_clients
from tests.frameworks.measured import record
from tests.frameworks.model import stories

from inference_endpoints_mcp.server.answers.rendering import ERROR_META

pytestmark = [pytest.mark.models, pytest.mark.timeout(600)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("environment", all_clients(), ids=lambda environment: environment.name)
def test_a_model_deploys_waits_chats_is_refused_and_deletes(
    environment: Environment, transport: str, site: Site, name: str, job: Job
) -> None:
    first = job(environment, transport, stories.lifecycle(site.world, name))
    recorded = first.check()
    job(environment, transport, stories.deletion(site.world, name), approval="plan").check()
    record(environment, transport, "lifecycle", asdict(recorded) | passed_on(first.model.answers))


def passed_on(answers: list[str]) -> dict[str, Any]:
    """How often a model reads the same answer, and whether it reads the metadata that is meant for hosts."""
    return {
        "copies": max(answer.count("states_seen") for answer in answers),
        "metadata": any(ERROR_META in answer for answer in answers),
    }
