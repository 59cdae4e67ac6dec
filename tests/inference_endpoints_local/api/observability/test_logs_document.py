"""The routes of logs answer as the service's own document describes them, and take the parameters that it lists."""

import json
import re
from typing import Any

import pytest
from tests.inference_endpoints_local.state.test_log_store import event, following
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import Driver
from tests.support.service.service_document import document, needs_document, validate

from inference_endpoints_local.wire import openapi, routes
from inference_endpoints_local.wire.routes import RouteContract

pytestmark = [needs_document, pytest.mark.anyio]

ROUTES = [routes.LOGS, routes.DOWNLOAD_LOGS, routes.FOLLOW_LOGS, routes.LOGS_V2, routes.FOLLOW_LOGS_V2]
LOGGED: list[tuple[float, str | None, str]] = [(2, "info", "INFO one"), (1, None, "two")]


def documented(route: RouteContract) -> dict[str, Any]:
    described: dict[str, Any] = document()["paths"][route.path]["get"]
    return described


def content(route: RouteContract) -> dict[str, Any]:
    answers: dict[str, Any] = documented(route)["responses"]["200"]["content"]
    return answers


def path_of(route: RouteContract) -> str:
    return route.path.format(namespace="acme", name="chat")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_parameters_are_those_of_the_document(route: RouteContract) -> None:
    ours = openapi.document("1", simulated=True)["paths"][route.path]["get"]["parameters"]
    theirs = documented(route)["parameters"]
    assert {each["name"] for each in ours} == {each["name"] for each in theirs}


@pytest.mark.parametrize("query", ["", "?limit=1", "?level=info", "?search=nothing", "?order=asc&line_max_length=1"])
async def test_a_page_has_the_documented_form(driver: Driver, query: str) -> None:
    await driver.create()
    write_log(driver, LOGGED)
    answer = await driver.call("GET", path_of(routes.LOGS) + query)
    validate(answer.body, content(routes.LOGS)["application/json"]["schema"])
    relations = re.findall(r'rel="(\w+)"', answer.headers.get("link", ""))
    described = re.findall(
        r'rel="(\w+)"', documented(routes.LOGS)["responses"]["200"]["headers"]["Link"]["description"]
    )
    assert set(relations) <= set(described)


async def test_the_download_has_the_documented_media_type(driver: Driver) -> None:
    await driver.create()
    write_log(driver, LOGGED)
    answer = await driver.call("GET", path_of(routes.DOWNLOAD_LOGS))
    assert answer.headers["content-type"].partition(";")[0] in content(routes.DOWNLOAD_LOGS)
    assert {name.lower() for name in documented(routes.DOWNLOAD_LOGS)["responses"]["200"]["headers"]} <= set(
        answer.headers
    )


async def test_an_event_has_the_documented_form(driver: Driver) -> None:
    await driver.create()
    write_log(driver, LOGGED)
    async with following(driver, path_of(routes.FOLLOW_LOGS)) as events:
        for _ in LOGGED:
            validate(await event(events), content(routes.FOLLOW_LOGS)["text/event-stream"]["schema"])


async def test_the_unavailable_search_has_a_documented_status(driver: Driver) -> None:
    await driver.create()
    for route in (routes.LOGS, routes.FOLLOW_LOGS):
        fault = json.dumps({"fault": "not_implemented", "operation": route.name}).encode()
        await driver.call("POST", "/local/faults", fault)
        answer = await driver.call("GET", path_of(route))
        assert str(answer.status) in documented(route)["responses"]
        assert answer.status == 501
