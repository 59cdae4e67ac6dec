"""The report of a walk: no personal detail is in it, and its structure stays readable."""

import json
import re
from typing import Any

import pytest
from tests.support.planes.plane_driver import TOKEN
from tests.support.service.scripted_upstream import Answer, Upstream, events
from tests.support.service.service_document import needs_document, service_document

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.operations import Operation
from inference_endpoints_mcp.live import walk
from inference_endpoints_mcp.live.report import Report
from inference_endpoints_mcp.live.service_document import ServiceDocument
from inference_endpoints_mcp.live.walk import Walk

pytestmark = pytest.mark.anyio

CANARIES = {
    "person": "Wilhelmina Quakenbush",
    "user": "wquakenbush",
    "team": "zebra-lab",
    "colleague": "otto.prime",
    "email": "w.quakenbush@zebra.example",
    "endpoint": "payroll-bot",
    "model": "salaries-7b",
    "address": "203.0.113.77",
    "network": "198.51.100.0/24",
    "domain": "llm.zebra.example",
    "secret": "hunter2-hunter2",
    "variable": "ZEBRA_LICENSE",
    "token": "hf_" + "Q" * 34,
    "id": "6273f303f6d63a28483fde12",
    "replica": "6pajyw3k-z7ghx",
    "log": "patient Smithers was discharged",
    "tag": "quarterly-numbers",
    "birthday": "1961-04-12",
}


def part_of(operation: Operation[Any], report: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in report["operations"] if one["operation"] == operation.name]
    return dict(found)


@pytest.fixture
def talkative(upstream: Upstream) -> Upstream:
    """A service whose answers are full of personal details, at known and at unknown places."""
    c = CANARIES
    person = {"id": c["id"], "name": c["user"]}
    endpoint = upstream.endpoint("running", message=f"{c['endpoint']} of {c['user']} runs", createdBy=person)
    endpoint |= {"name": c["endpoint"], "tags": [c["tag"]], c["variable"]: 1, "anUnknownField": c["log"]}
    endpoint["status"] |= {"updatedBy": {"id": c["id"], "name": c["colleague"]}, "state": "hibernating"}
    endpoint["model"] |= {
        "repository": f"{c['team']}/{c['model']}",
        "env": {c["variable"]: c["secret"], "task": "text-generation"},
        "secrets": {c["variable"]: c["token"]},
        "image": {"custom": {"url": f"ghcr.io/{c['team']}/{c['model']}:1"}},
        "args": ["--api-key", c["token"]],
    }
    whoami = {
        "type": "user",
        "id": c["id"],
        "name": c["user"],
        "fullname": c["person"],
        "email": c["email"],
        "birthday": c["birthday"],
        "orgs": [{"name": c["team"], "fullname": c["person"]}],
        "auth": {"type": "access_token", "accessToken": {"displayName": c["tag"], "role": "write"}},
        c["user"]: {"phone": 4915112345678, "accountId": 4915112345678},
    }
    entry = {
        "id": "a1",
        "createdAt": "2026-10-01T08:00:00.123456789Z",
        "user": {"id": c["id"], "name": c["colleague"]},
        "ip": c["address"],
        "endpoint": c["endpoint"],
        "reason": {"endpointUpdated": {"env": {"before": {"env": {c["variable"]: c["secret"]}}, "after": {}}}},
    }
    line = f"{c['log']} {c['email']}"
    log = {"timestamp": "2026-10-01T08:00:00Z", "line": line, "replica_id": c["replica"], "level": "info"}
    one, two = f"/v2/endpoint/{c['user']}/{c['endpoint']}", f"/v3/endpoint/{c['user']}/{c['endpoint']}"
    bodies = {
        "/api/whoami-v2": whoami,
        "/v2/provider": {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1"}]}]},
        f"/v2/endpoint/{c['user']}": {"items": [endpoint]},
        one: endpoint,
        f"{one}/replica": {"items": [{"id": c["replica"], "versionId": c["tag"]}]},
        f"{two}/logs": [log],
        f"/v2/audit-logs/{c['user']}": {"list": [entry]},
        f"/v2/network/cidr-list/{c['user']}": {"items": [{"name": c["team"], "cidrList": [c["network"]]}]},
        f"/v2/network/domain/{c['user']}": {"items": [{"domain": c["domain"]}]},
        f"/v2/provider/{c['user']}": {"vendors": [{"name": "aws", "regions": "none"}]},
    }
    for path, body in bodies.items():
        upstream.answers("GET", path, Answer(body=body))
    upstream.answers("POST", f"{one}/metrics/replica-ids", Answer(body=[c["replica"]]))
    text = f"- 2026-10-01T08:00:00Z {line}\n- 2026-10-01T08:00:01Z {c['token']}\n"
    upstream.answers("GET", f"{one}/logs", Answer(body=text.encode(), headers={"content-type": "text/plain"}))
    upstream.answers("GET", f"{two}/logs/sse", events(log))
    upstream.answers("GET", f"{one}/logs/sse", events(line.encode()))
    refusal = {"error": f"Forbidden: {c['colleague']} may not read {c['domain']}", "code": "FORBIDDEN"}
    upstream.answers("GET", f"/v2/search/{c['user']}", Answer(403, refusal))
    return upstream


async def report_of(service: Upstream, document: ServiceDocument | None = None) -> str:
    async with AsyncEndpointsClient(local(service.url, TOKEN)) as client:
        return Report(await Walk(client, CANARIES["user"], document).run(), document).to_json()


@pytest.fixture(autouse=True)
def _streams_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "STREAM_TIME_S", 0.2)


@pytest.fixture
async def report(talkative: Upstream, anyio_backend: str) -> str:
    return await report_of(talkative)


@pytest.mark.parametrize("given", [pytest.param(True, marks=needs_document), False], ids=["document", "models"])
async def test_no_personal_detail_is_in_it(talkative: Upstream, given: bool) -> None:
    report = await report_of(talkative, service_document() if given else None)
    parts = {part for canary in CANARIES.values() for part in re.split(r"[\s/@]", canary) if len(part) > 3}
    assert [part for part in sorted(parts) if part.lower() in report.lower()] == []
    assert talkative.url not in report
    assert "4915112345678" not in report


async def test_the_same_detail_has_the_same_placeholder_everywhere(report: str) -> None:
    content = json.loads(report)
    whoami = part_of(operations.WHOAMI, content)["answer"]
    (endpoint,) = part_of(operations.LIST, content)["answer"]["items"]
    (entry,) = part_of(operations.AUDIT_LOGS, content)["answer"]["list"]
    assert whoami["name"] == endpoint["status"]["createdBy"]["name"]
    assert whoami["id"] == entry["user"]["id"] == endpoint["status"]["createdBy"]["id"]
    assert endpoint["status"]["updatedBy"]["name"] == entry["user"]["name"] != whoami["name"]
    assert entry["endpoint"] == endpoint["name"]
    assert endpoint["model"]["repository"].split("/")[0] == whoami["orgs"][0]["name"]
    assert entry["ip"] == "<address-1>"
    assert whoami["email"] == "<email-1>"
    assert endpoint["status"]["url"].startswith("<url-")


async def test_structure_and_the_words_of_the_service_stay_readable(report: str) -> None:
    content = json.loads(report)
    (endpoint,) = part_of(operations.LIST, content)["answer"]["items"]
    assert endpoint["status"]["readyReplica"] == 1
    assert endpoint["provider"] == {"vendor": "aws", "region": "us-east-1"}
    assert "text-generation" in endpoint["model"]["env"].values()
    assert "task" not in endpoint["model"]["env"]
    assert "anUnknownField" in endpoint
    assert part_of(operations.LOGS_V2, content)["answer"][0].startswith("- 2026-10-01T08:00:00Z <text-")
    (line,) = part_of(operations.LOGS, content)["answer"]
    assert (line["timestamp"], line["level"]) == ("2026-10-01T08:00:00Z", "info")
    assert part_of(operations.FOLLOW_LOGS, content)["answer"] == line
    assert part_of(operations.HARDWARE, content)["remarks"] == ["$.vendors[].regions should be a valid list"]
    assert part_of(operations.SEARCH, content)["remarks"][0].startswith("403 FORBIDDEN")


@needs_document
async def test_a_new_state_of_the_service_is_named_unless_somebody_is_called_like_it(talkative: Upstream) -> None:
    content = json.loads(await report_of(talkative, service_document()))
    assert "$.status.state is not a documented value: hibernating" in part_of(operations.GET, content)["remarks"]
    assert part_of(operations.GET, content)["answer"]["status"]["state"] == "hibernating"
    assert "HF Inference Endpoints API 2.0.0" in content["compared_with"]

    path = f"/v2/endpoint/{CANARIES['user']}/{CANARIES['endpoint']}"
    talkative.answers("GET", path, Answer(body=talkative.endpoint(CANARIES["user"])))
    assert CANARIES["user"] not in await report_of(talkative, service_document())


async def test_it_states_what_it_was_compared_with(report: str) -> None:
    content = json.loads(report)
    assert content["compared_with"].startswith("the models of version ")
    assert "--document" in content["compared_with"]
    assert re.fullmatch(r"\d+ as documented, 1 differs, \d+ refused, 2 not tried", content["results"])
