"""What scenarios share: common endpoints of the simulated plane, its time, and a caller with two organizations."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.server.application import ServerOptions

HOUR = 3_600
L4: dict[str, Any] = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
LENDS_A_TOKEN: dict[str, Any] = {
    "answer": lambda _: True,
    "lent": LentSecrets({"HF_TOKEN": "hf_" + "y" * 30}),
}
"""Options of a host whose operator lends a token for gated models, and whose person approves."""
VLLM = {"vLLM": {"url": "vllm/vllm-openai:v0.11.0", "port": 8000}}


async def finish_starts(driver: Driver) -> None:
    """Let all successful starts end. The time is too short for an endpoint to scale to zero."""
    await driver.advance(850)


async def finish_all_attempts(driver: Driver) -> None:
    """Let all starts end, with their failed attempts and back-offs."""
    for _ in range(4):
        await driver.advance(HOUR)


def age(driver: Driver, name: str, by: timedelta) -> None:
    """Move all timestamps of an endpoint back by so much: tests cannot move the clock of timestamps."""
    endpoint = driver.endpoint(name)
    ns = int(by.total_seconds() * 1e9)
    endpoint.record = replace(endpoint.record, updated_ns=endpoint.record.updated_ns - ns)
    with closing(sqlite3.connect(driver.plane.store.path)) as store, store:
        store.execute(
            "UPDATE event SET at_ns = at_ns - :ns, event = json_set(event, '$.at_ns', at_ns - :ns) "
            "WHERE endpoint = :name",
            {"ns": ns, "name": name},
        )


def configuration(document: dict[str, Any]) -> dict[str, Any]:
    """The configuration in a document, without name and status."""
    return {key: value for key, value in document.items() if key not in ("name", "status")}


@pytest.fixture
async def organizations(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    """A host of a caller with two namespaces; the plane has only one. The endpoint in each was not called for long, and
    `acme` has used its quota."""
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme", "orgs": [{"name": "lab"}]}))
    compute = L4 | {"id": "aws-us-east-1-nvidia-l4-x1", "scaling": {"minReplica": 1, "maxReplica": 1}}
    idle = upstream.endpoint("running", updatedAt="2025-01-01T00:00:00Z", readyReplica=1, targetReplica=1)
    for namespace, used in (("acme", 8), ("lab", 0)):
        quota = {"instanceType": "nvidia-l4", "maxAccelerators": 8, "usedAccelerators": used}
        regions = [_region("eu-west-1", 1.0, quota), _region("us-east-1", 0.8, quota)]
        answers = {
            f"provider/{namespace}": {"vendors": [{"name": "aws", "regions": regions}]},
            f"provider/quotas/{namespace}": {"vendors": [{"name": "aws", "quotas": [quota]}]},
            f"endpoint/{namespace}": {"items": [idle | {"compute": compute}]},
            f"endpoint/{namespace}/chat": idle | {"compute": compute},
        }
        for path, body in answers.items():
            upstream.answers("GET", f"/v2/{path}", Answer(body=body))
        upstream.answers("POST", f"/v2/endpoint/{namespace}/chat/pause", Answer(body=upstream.endpoint("paused")))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend)) as host:
        yield host


def _region(name: str, price: float, quota: dict[str, Any]) -> dict[str, Any]:
    offer = {"id": f"aws-{name}-nvidia-l4-x1", "numAccelerators": 1, "pricePerHour": price, "status": "available"}
    return {"name": name, "computes": [L4 | offer | {"quota": quota}]}
