"""What a diagnosis reads of an endpoint."""

import pytest
from tests.support.planes.diagnosis import create_broken
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.diagnosis.collection import LOG_LINES, collect_evidence
from inference_endpoints.diagnosis.finding import EvidenceSource
from inference_endpoints.transport.backend import local
from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("has_log_search", [True, False])
async def test_a_replica_that_ended_is_read_beside_one_that_prints_much(driver: Driver, has_log_search: bool) -> None:
    await create_broken(driver, "out_of_memory")
    write_log(driver, [(0, None, f"INFO served request {number}") for number in range(LOG_LINES)])
    if not has_log_search:
        driver.plane.faults.arm(Fault.NOT_IMPLEMENTED, "get_logs")
    async with AsyncEndpointsClient(local(driver.url, TOKEN), namespace="acme") as client:
        ended = [replica.id for replica in await client.replicas("chat")]
        evidence = await collect_evidence(client, "chat")
    assert evidence.logs is not None
    causes = {entry.replica_id for entry in evidence.logs if "CUDA out of memory" in entry.line}
    assert causes
    assert causes <= set(ended)
    assert len([entry for entry in evidence.logs if "served request" in entry.line]) == LOG_LINES
    times = [entry.time for entry in evidence.logs if entry.time]
    assert times == sorted(times)


async def test_a_replica_that_is_gone_hides_no_other_lines(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    upstream.shows("running")
    one = "/v2/endpoint/acme/chat"
    upstream.answers("GET", f"{one}/replica", Answer(body={"items": [{"id": "gone"}]}))
    text = Answer(body=b"- 2026-10-01T08:00:01Z INFO one\n", headers={"content-type": "text/plain"})
    upstream.answers("GET", f"{one}/logs", text, Answer(404, {"error": "Not Found"}))
    evidence = await collect_evidence(endpoints, "chat")
    assert evidence.logs is not None
    assert [entry.line for entry in evidence.logs] == ["INFO one"]
    assert EvidenceSource.LOGS not in evidence.failed
