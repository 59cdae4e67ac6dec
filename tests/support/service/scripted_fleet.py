"""A scripted service with as many endpoints as wanted, in the namespace acme."""

from typing import Any

from tests.support.service.priced_cloud import script_cloud
from tests.support.service.scripted_upstream import Answer, Upstream

STATES = ("running", "paused", "scaledToZero", "failed")


def script_fleet(upstream: Upstream, count: int) -> list[str]:
    """The names of the endpoints: every fourth runs on a priced GPU."""
    script_cloud(upstream)
    names = [f"endpoint-{number:04}" for number in range(count)]
    rows = [_endpoint(upstream, name, STATES[number % len(STATES)]) for number, name in enumerate(names)]
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": rows}))
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme", "orgs": []}))
    return names


def _endpoint(upstream: Upstream, name: str, state: str) -> dict[str, Any]:
    document = upstream.endpoint(state)
    hardware = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
    scaling = {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 15}
    return document | {
        "name": name,
        "compute": hardware | {"id": "aws-us-east-1-nvidia-l4-x1", "scaling": scaling},
        "provider": {"vendor": "aws", "region": "us-east-1"},
    }
