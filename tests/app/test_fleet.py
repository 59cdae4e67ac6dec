"""The fleet in a real browser: what is on the page, by roles and words; not its pixels."""

from pathlib import Path

import pytest
from tests.app.conftest import Dashboard, Open
from tests.support.command import Run, Start
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import Answer, Upstream

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import Page, expect

pytestmark = pytest.mark.anyio

MOST_ROWS = 40
"""Rows in the document, however many endpoints there are."""


async def rows(page: Page) -> list[list[str]]:
    """The cells of the rows in the document."""
    lines = await page.get_by_role("row").filter(has=page.get_by_role("gridcell")).all()
    return [await line.get_by_role("gridcell").all_inner_texts() for line in lines]


async def test_the_fleet_shows_states_replicas_and_prices(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 8)
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        page = visit.page
        await expect(page.get_by_role("heading", name="Endpoints")).to_be_visible()
        await expect(page.get_by_text("8 endpoints: $1.60/h now")).to_be_visible()
        shown = await rows(page)
        assert len(shown) == 8
        assert shown[0][0].startswith("endpoint-0000")
        assert shown[0][1:2] + shown[0][3:6] == ["running", "aws-us-east-1-nvidia-l4-x1", "$0.80/h", "$1.60/h"]
        await page.get_by_label("State").select_option("failed")
        assert [row[1] for row in await rows(page)] == ["failed"] * 2
        await page.get_by_label("Search").fill("0003")
        assert [row[0][:13] for row in await rows(page)] == ["endpoint-0003"]
        await expect(page.get_by_role("status")).to_have_text("1 endpoints match.")
        assert "code" not in page.url, "the link's code is not left in the address"


async def test_a_thousand_endpoints_keep_the_page_small_and_every_one_is_reached_by_keys(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 1_000)
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        page = visit.page
        grid = page.get_by_role("grid", name="Endpoints")
        await expect(grid).to_have_attribute("aria-rowcount", "1001")
        assert len(await rows(page)) <= MOST_ROWS
        await page.get_by_role("button", name="Endpoint", exact=True).click()
        await expect(page.get_by_role("columnheader", name="Endpoint")).to_have_attribute("aria-sort", "ascending")
        await grid.focus()
        await page.keyboard.press("End")
        last = page.get_by_role("row", name="endpoint-0999")
        await expect(last).to_have_attribute("aria-rowindex", "1001")
        await expect(last).to_have_attribute("aria-selected", "true")
        active = await grid.get_attribute("aria-activedescendant")
        assert active == await last.get_attribute("id")
        assert len(await rows(page)) <= MOST_ROWS
        for key, name in (("Home", "0000"), ("ArrowDown", "0001"), ("ArrowUp", "0000"), ("PageDown", "0011")):
            await page.keyboard.press(key)
            await expect(page.get_by_role("row", name=f"endpoint-{name}")).to_have_attribute("aria-selected", "true")


async def test_a_link_that_was_used_says_where_the_next_one_is(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 1)
    async with dashboard(upstream.url) as link:
        async with open_page(link) as visit:
            await expect(visit.page.get_by_text("1 endpoint:")).to_be_visible()
            await visit.page.reload()
            await expect(visit.page.get_by_text("1 endpoint:")).to_be_visible()
        async with open_page(link) as visit:
            await expect(visit.page.get_by_role("alert")).to_have_text(
                "This link was used before. The terminal shows a new one."
            )
            assert [problem for problem in visit.problems if "403" not in problem] == []
            visit.problems.clear()


async def test_a_namespace_that_cannot_be_read_is_named(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 2)
    me = {"type": "user", "name": "acme", "orgs": [{"type": "org", "name": "locked"}]}
    upstream.answers("GET", "/api/whoami-v2", Answer(body=me))
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        await expect(visit.page.get_by_text("2 shown. Not covered: locked (NOT_FOUND).")).to_be_visible()


async def test_the_command_serves_the_page_and_its_plane(
    start: Start, run: Run, tmp_path: Path, open_page: Open
) -> None:
    folder = ["--data-dir", str(tmp_path / "plane")]
    process = start("dashboard", "--no-browser", "--local", *folder)
    assert process.stdout is not None
    try:
        async with open_page(process.stdout.readline().split()[-1]) as visit:
            await expect(visit.page.get_by_text("There is no endpoint yet.")).to_be_visible()
            process.terminate()
            process.wait()
            await visit.page.get_by_role("button", name="Refresh").click()
            await expect(visit.page.get_by_role("alert")).to_contain_text("The dashboard does not answer.")
            visit.problems.clear()  # the browser tells of the connection, too
    finally:
        run("control-plane", "stop", *folder)


async def test_a_refresh_takes_no_focus_away_and_draws_nothing_again_that_is_the_same(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    script_fleet(upstream, 8)
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        page = visit.page
        await expect(page.get_by_text("8 endpoints:")).to_be_visible()
        await page.get_by_label("State").select_option("paused")
        resume = page.get_by_role("button", name="Resume 2 endpoints…")
        await resume.focus()
        row = await page.get_by_role("row", name="endpoint-0001").element_handle()
        script_fleet(upstream, 9)  # one more that runs
        await page.get_by_role("button", name="Refresh").dispatch_event("click")
        await expect(page.get_by_text("9 endpoints:")).to_be_visible()
        await expect(resume).to_be_focused()
        assert row is not None
        assert await row.evaluate("element => element.isConnected")
        await expect(page.get_by_label("State")).to_have_value("paused")
