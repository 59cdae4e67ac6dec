"""Attacks by a web page in a browser of this machine: through requests that need no token, and through what a model
answers."""

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.engines.programs import Program
from inference_endpoints_local.isolated_python import isolated
from inference_endpoints_local.state.record import Spec

pytestmark = pytest.mark.anyio

PAGES = (
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
    {"Referer": "https://evil.example/"},
    {"Referer": "http://127.0.0.1.evil.example/"},
    {"Origin": "https://evil.example"},
    {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
)


@pytest.mark.parametrize("page", PAGES, ids=str)
async def test_no_page_wakes_a_public_endpoint(driver: Driver, page: dict[str, str]) -> None:
    await driver.create_local(type="public")
    await driver.reach("tiny", "running")
    await driver.put_to_sleep("tiny")
    for method in ("GET", "POST", "OPTIONS"):
        answer = await driver.call(method, await driver.path_of("tiny"), token=None, **page)
        assert answer.status == 403
    assert await driver.state("tiny") == "scaledToZero"


@pytest.mark.parametrize(
    "person",
    [
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:3000"},
        {},
    ],
    ids=str,
)
async def test_a_person_a_program_and_a_page_of_this_machine_may_call_it(
    driver: Driver, person: dict[str, str]
) -> None:
    await driver.create_local(type="public")
    await driver.reach("tiny", "running")
    assert (await driver.call("POST", await driver.path_of("tiny"), {}, token=None, **person)).status == 200


async def test_no_header_of_a_model_reaches_a_browser_but_those_that_describe_its_answer(plane_of: PlaneOf) -> None:
    def programs(spec: Spec) -> Program:
        return Program(isolated("tests.support.planes.hostile_headers_worker"), "text-generation", lambda *_: {})

    async with plane_of(programs=programs) as driver:
        await driver.create_local()
        await driver.reach("tiny", "running")
        headers = (await driver.call_endpoint()).headers
    assert headers["content-type"] == "text/html"
    assert headers["x-engine-time"] == "7"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers.keys() <= {
        *("content-type", "content-length", "x-engine-time", "x-request-id", "date", "server", "transfer-encoding"),
        *("content-security-policy", "cross-origin-resource-policy", "x-content-type-options"),
    }
