"""Shapes, status codes and errors of the REST API, as raw JSON."""

import json
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.service.captures import CAPTURES

pytestmark = pytest.mark.anyio
ONE = "/v2/endpoint/acme/chat"


ANY_ROUTE = ("/v2/endpoint/acme", "/v2/provider", "/api/whoami-v2", "/healthz", "/local/clock", "/e/none", "/nowhere")


@pytest.mark.parametrize("path", ANY_ROUTE)
async def test_requests_to_another_host_or_from_its_pages_are_refused(driver: Driver, path: str) -> None:
    """Otherwise a web page whose own name resolves to this machine could send any request from a browser."""
    port = driver.plane.url.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "192.0.2.1", "", "[::1"):
        assert (await driver.call("GET", path, Host=host)).status in {400, 421}, host
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{port}@evil.example", "http://[::1"):
        assert (await driver.call("GET", path, Origin=origin)).status == 403, origin
    for host in (f"localhost:{port}", "127.0.0.1", "LOCALHOST", f"[::1]:{port}"):
        own = await driver.call("GET", path, Host=host, Origin=f"http://localhost:{port}")
        assert own.status not in {400, 403, 421}, host
    assert "x-request-id" in (await driver.call("GET", path, Host="evil.example")).headers


async def test_the_minimal_create_of_huggingface_hub_gives_the_documented_document(driver: Driver) -> None:
    document = (await driver.create()).body
    assert document["status"].pop("url") == driver.plane.url + await driver.path_of("chat")
    created = document["status"].pop("createdAt")
    assert document["status"].pop("updatedAt") == created
    assert len(created.partition(".")[2]) == len("123456789Z")
    assert created.endswith("Z")
    assert document.pop("experimentalFeatures") == {}
    assert document.pop("notifications") == {"email": False, "push": False}
    person = document["status"]["createdBy"]
    assert person["name"] == "acme"
    assert document == {
        "name": "chat",
        "type": "authenticated",
        "provider": {"vendor": "aws", "region": "us-east-1"},
        "healthRoute": "/health",
        "compute": {
            "id": "aws-us-east-1-intel-spr-x1",
            "accelerator": "cpu",
            "instanceType": "intel-spr",
            "instanceSize": "x1",
            "scaling": {
                "minReplica": 1,
                "maxReplica": 1,
                "scaleToZeroTimeout": None,
                "measure": {"hardwareUsage": None},
                "metric": "hardwareUsage",
            },
        },
        "model": {
            "repository": "gpt2",
            "framework": "pytorch",
            "revision": None,
            "task": "custom",
            "image": {"huggingface": {}},
            "env": {},
            "secrets": {},
        },
        "tags": [],
        "status": {
            "createdBy": person,
            "updatedBy": person,
            "state": "pending",
            "message": "Simulated: Endpoint waiting to be scheduled",
            "readyReplica": 0,
            "targetReplica": 1,
            "engine": "simulated",
            "inferenceMetricsEnabled": False,
        },
    }


async def test_a_pending_endpoint_has_every_key_that_the_service_sends(driver: Driver) -> None:
    seen = json.loads((CAPTURES / "endpoint-pending-2025.json").read_text())
    document = (await driver.create(model={"image": {"tgi": {"url": "ghcr.io/x:1"}}})).body
    missing = keys_of(seen) - keys_of(document)
    assert {key for key in missing if not key.startswith("model.image.")} <= {"accountId"}


def keys_of(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return set()
    return {f"{path}{key}" for key in value}.union(*(keys_of(inner, f"{path}{key}.") for key, inner in value.items()))


async def test_nothing_answers_without_the_token_but_health_and_public_prices(driver: Driver) -> None:
    protected = ["/v2/endpoint/acme", ONE, "/v2/provider/acme", "/api/whoami-v2", "/api/v1/catalog/list", ONE + "/logs"]
    for path in protected:
        for token in (None, "wrong", "sécret"):
            answer = await driver.call("GET", path, token=token and token.encode().decode("latin-1"))
            assert answer.status == 401, path
            assert answer.body["code"] == "UNAUTHORIZED"
    assert (await driver.call("POST", "/local/clock", {"advance_s": 1}, token=None)).status == 401
    assert (await driver.call("GET", "/healthz", token=None)).body == b"ok"
    public = (await driver.call("GET", "/v2/provider", token=None)).body
    quotas = {json.dumps(c["quota"]) for v in public["vendors"] for r in v["regions"] for c in r["computes"]}
    assert quotas == {'{"maxAccelerators": 0, "usedAccelerators": 0}'}


async def test_every_answer_carries_a_request_id(driver: Driver) -> None:
    for path in ("/healthz", "/v2/endpoint/acme", ONE, "/nowhere", "/e/none"):
        assert (await driver.call("GET", path)).headers["x-request-id"]


async def test_unknown_routes_methods_and_namespaces_are_errors_of_the_documented_form(driver: Driver) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("PATCH", ONE, 405),
        ("GET", "/v2/endpoint/other", 404),
        ("GET", ONE, 404),
        ("POST", ONE + "/pause", 404),
    ):
        answer = await driver.call(method, path)
        assert answer.status == status, path
        assert isinstance(answer.body["error"], str)


async def test_a_taken_name_is_a_conflict(driver: Driver) -> None:
    await driver.create()
    answer = await driver.create()
    assert answer.status == 409
    assert "already exists" in answer.body["error"]


async def test_hardware_has_the_documented_shape_prices_and_this_machine(driver: Driver) -> None:
    vendors = (await driver.call("GET", "/v2/provider/acme")).body["vendors"]
    seen = json.loads((CAPTURES / "vendors.json").read_text())["vendors"][0]
    assert [vendor["name"] for vendor in vendors] == ["local", "aws", "azure", "gcp"]
    assert set(vendors[1]) == set(seen)
    assert set(vendors[1]["regions"][0]) == set(seen["regions"][0])
    computes = {c["id"]: c for vendor in vendors for region in vendor["regions"] for c in region["computes"]}
    l4 = computes["aws-us-east-1-nvidia-l4-x1"]
    assert set(seen["regions"][0]["computes"][0]) - set(l4) <= {"numCpus"}
    assert (l4["pricePerHour"], l4["quota"]) == (0.8, {"maxAccelerators": 16, "usedAccelerators": 0})
    assert computes["aws-us-east-2-nvidia-h100-x1"]["status"] == "deprecated"
    here = [c for c in computes.values() if c["id"].startswith("local-machine-cpu-")]
    assert [(c["instanceSize"], c["pricePerHour"], c["numAccelerators"]) for c in here] == [
        ("x1", 0.0, 1),
        ("x2", 0.0, 2),
    ]
    assert here[0]["quota"] == {"maxAccelerators": 2, "usedAccelerators": 0}


async def test_in_the_clouds_paused_endpoints_do_not_count_and_those_scaled_to_zero_do(driver: Driver) -> None:
    hardware = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x4"}
    for number in range(4):
        assert (await driver.create(f"e{number}", compute=hardware)).status == 200
    refused = await driver.create("e4", compute=hardware)
    assert (refused.status, refused.body) == (409, {"error": "Conflict: Quota exceeded", "code": "CONFLICT"})
    await driver.put_to_sleep("e0")
    assert (await driver.create("e4", compute=hardware)).status == 409
    await driver.do("e0", "pause")
    assert (await driver.create("e4", compute=hardware)).status == 200
    assert (await driver.do("e0", "resume")).status == 409


async def test_without_the_simulation_clouds_are_neither_offered_nor_deployed_on(plane_of: PlaneOf) -> None:
    async with plane_of(simulated=False) as driver:
        vendors = (await driver.call("GET", "/v2/provider/acme")).body["vendors"]
        assert [vendor["name"] for vendor in vendors] == ["local"]
        answer = await driver.create()
        assert answer.status == 400
        assert "--simulated" in answer.body["error"]
        for path in ("/local/clock", "/local/faults"):
            assert (await driver.call("POST", path, {})).status == 404


async def test_whoami_names_the_namespace(driver: Driver) -> None:
    answer = (await driver.call("GET", "/api/whoami-v2")).body
    assert (answer["type"], answer["name"], answer["orgs"]) == ("user", "acme", [])


async def test_the_catalogue_is_filtered(plane_of: PlaneOf) -> None:
    async with plane_of(simulated=False) as driver:
        everything = (await driver.call("GET", "/api/v1/catalog/list")).body["items"]
        assert {"repoId", "modelName", "authorName", "license", "task", "createdAt", "recipes"} == set(everything[0])
        for query, count in (
            ("task=text-generation", 1),
            ("search=MINILM", 1),
            ("license=cc-by-sa-3.0", 1),
            ("accelerator=gpu", 0),
            ("accelerator=cpu&limit=2", 2),
            ("engine=llamacpp", 1),
        ):
            assert len((await driver.call("GET", f"/api/v1/catalog/list?{query}")).body["items"]) == count, query


async def test_there_are_no_networks_of_the_account_and_none_can_be_made(driver: Driver) -> None:
    for kind, body in (
        ("cidr-list", {"name": "office", "cidrList": ["10.0.0.0/8"]}),
        ("domain", {"domain": "a.example"}),
    ):
        assert (await driver.call("GET", f"/v2/network/{kind}/acme")).body == {"items": []}
        assert (await driver.call("POST", f"/v2/network/{kind}/acme", body)).status == 403
        assert (await driver.call("DELETE", f"/v2/network/{kind}/acme/x")).status == 404
    assert (await driver.call("GET", "/v2/network/private-service/acme")).body == {"items": []}
