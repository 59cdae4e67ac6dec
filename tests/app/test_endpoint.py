"""One endpoint in a real browser: its life, plots with data, its log."""

import json
import re

import pytest
from tests.app.conftest import Dashboard, Open
from tests.support.planes.plane_driver import Driver
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import Answer, Upstream

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import Page, expect

pytestmark = pytest.mark.anyio


async def open_endpoint(page: Page, name: str) -> None:
    """By keys alone, from the top of the page."""
    await expect(page.get_by_role("row", name=name)).to_be_visible()
    grid = page.get_by_role("grid", name="Endpoints")
    while not await grid.evaluate("element => element === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


async def test_what_the_engine_measures_has_plots_of_its_own(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 1)
    row = upstream.endpoint("running")
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": [row]}))
    upstream.shows("running")
    graphs = json.loads((CAPTURES / "all-graphs.json").read_text("utf-8"))
    upstream.answers("POST", "/v2/endpoint/acme/chat/metrics", Answer(body=graphs))
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "chat")
        for title in ("Requests", "Latency", "Time to first token", "Time between tokens", "Memory", "Load", "Caches"):
            await expect(page.get_by_role("figure", name=title)).to_contain_text(re.compile(r": now .*, at most "))
        await expect(page.get_by_role("region", name="Timeline")).to_contain_text("Could not read the audit log")


async def test_an_endpoint_is_opened_by_keys_and_shows_its_life(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    for _ in range(3):
        assert (await driver.call("POST", f"{await driver.path_of('tiny')}/", {})).status == 200
    await driver.advance(60)
    async with dashboard(driver.plane.url) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "tiny")
        facts = page.get_by_role("definition")
        await expect(facts.filter(has_text="tiny/echo")).to_be_visible()
        await expect(facts.filter(has_text="1 of 1 ready; 1 to 1 allowed")).to_be_visible()
        timeline = page.get_by_role("region", name="Timeline")
        await expect(timeline.get_by_role("listitem").filter(has_text="created by acme")).to_be_visible()
        await expect(timeline.get_by_role("listitem").filter(has_text="replica started")).to_be_visible()
        await expect(timeline.get_by_role("img")).to_have_accessible_name(re.compile("Stages of .*running"))
        requests = page.get_by_role("figure", name="Requests")
        await expect(requests).to_contain_text("at most 3")
        await expect(page.get_by_role("figure", name="Latency")).to_contain_text("ms")
        await expect(page.get_by_role("figure", name="Memory")).to_contain_text("MB")
        for title in ("Requests", "Latency", "Memory"):
            figure = page.get_by_role("figure", name=title)
            await expect(figure.locator("canvas")).to_be_visible()
            await figure.get_by_text("Values").click()
            await expect(figure.get_by_role("table")).to_contain_text("Time")
        await expect(page.get_by_role("log")).to_contain_text("tiny")
        await page.get_by_label("Lines").select_option("error")
        await expect(page.get_by_role("log")).to_have_text("No line matches.")
        await page.get_by_role("button", name="← All endpoints").click()
        await expect(page.get_by_role("row", name="tiny")).to_have_attribute("aria-selected", "true")
        await expect(page.get_by_role("grid")).to_be_focused()
        await page.go_back()
        await expect(page.get_by_role("heading", name="tiny")).to_be_visible()
