"""The OpenAPI document describes what the plane serves, and the plane does what it describes."""

import copy
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route
from tests.clients.plane import running_plane
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.service.captures import CAPTURES

from inference_endpoints_local.daemon.connect import RunningPlane
from inference_endpoints_local.daemon.plane import Plane, PlaneOptions
from inference_endpoints_local.wire import openapi, routes

CREATE = json.loads((CAPTURES / "create-minimal-hub-2.4.0.json").read_text())
LEASE_ROUTES = {routes.STATUS, routes.LEASE, routes.STOP}
OPTIONAL = {"url", "lastUsedAt"}


@pytest.fixture
def plane() -> Iterator[RunningPlane]:
    """With one endpoint, `chat`."""
    with running_plane() as plane:
        send(plane, "/v2/endpoint/acme", CREATE | {"name": "chat"})
        yield plane


def send(plane: RunningPlane, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {plane.token}"}
    request = urllib.request.Request(plane.url + path, body and json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=HANG_TIMEOUT_S) as answer:  # noqa: S310
        return json.load(answer)


@pytest.mark.anyio
async def test_exactly_the_registered_routes_are_described(tmp_path: Path) -> None:
    plane = Plane(PlaneOptions(data_dir=tmp_path, token="t", simulated=True))
    try:
        routed = {
            (route.path, method)
            for route in plane.routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method != "HEAD"
        }
    finally:
        await plane.stop()
    described = {(one.path, one.method) for one in {*routes.SERVICE_API, *routes.PLANE_API} - LEASE_ROUTES}
    assert routed == described


def test_a_plane_without_the_simulation_describes_none() -> None:
    simulated, real = openapi.document("1", simulated=True), openapi.document("1", simulated=False)
    assert set(simulated["paths"]) - set(real["paths"]) == {
        "/local/clock",
        "/local/load",
        "/local/capacity",
        "/local/faults",
    }
    assert "429" in simulated["components"]["responses"]
    assert "429" not in real["components"]["responses"]


def test_every_schema_is_valid() -> None:
    for schema in openapi.document("1", simulated=True)["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_an_endpoint_has_the_described_keys_and_no_others(plane: RunningPlane) -> None:
    components = send(plane, "/openapi.json")["components"]
    schema = {"$ref": "#/components/schemas/Endpoint", "components": components}
    fits = jsonschema.Draft202012Validator(schema).is_valid
    answer = send(plane, "/v2/endpoint/acme/chat")
    assert fits(answer)
    for path in ("", "provider", "compute", "compute.scaling", "model", "status", "status.createdBy"):
        for key in inner(answer, path):
            lacking = copy.deepcopy(answer)
            del inner(lacking, path)[key]
            assert key in OPTIONAL or not fits(lacking), f"{path}.{key}"
        with_more = copy.deepcopy(answer)
        inner(with_more, path)["more"] = 1
        assert not fits(with_more), path


def inner(document: dict[str, Any], path: str) -> dict[str, Any]:
    for key in filter(None, path.split(".")):
        document = document[key]
    return document
