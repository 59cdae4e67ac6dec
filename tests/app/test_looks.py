"""Dark and light, and what a screen reader is told."""

import re
import sys
from pathlib import Path

import pytest
from tests.app.conftest import Dashboard, Open
from tests.app.test_endpoint import open_endpoint
from tests.support.planes.plane_driver import Driver

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import expect

pytestmark = pytest.mark.anyio

AXE = Path(sys.prefix, "page", "node_modules", "axe-core", "axe.min.js")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LEAST_CONTRAST = 4.5
"""Of text against what is behind it: WCAG 2.2, level AA."""

CONTRASTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
  };
  const hasText = (element) => [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  const shown = (element) => element.checkVisibility() && hasText(element);
  return [...document.querySelectorAll("body *")].filter(shown).map((element) => {
    const [one, other] = [parse(getComputedStyle(element).color), behind(element)].map(luminance);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return [contrast, `${element.tagName} ${element.textContent.slice(0, 40)}`];
  });
}"""
UNNAMED = re.compile(
    r"^\s*- (button|combobox|searchbox|textbox|checkbox|spinbutton|grid|img|figure|dialog|region|log)( \[|:|$)",
    re.MULTILINE,
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_can_be_read_and_every_control_has_a_name(
    driver: Driver, dashboard: Dashboard, open_page: Open, scheme: str
) -> None:
    await driver.create("chat")
    await driver.create("old")
    await driver.do("old", "pause")
    await driver.advance(400)
    async with dashboard(driver.plane.url) as link, open_page(link, color_scheme=scheme) as visit:
        page = visit.page

        async def check() -> None:
            contrasts = await page.evaluate(CONTRASTS)
            assert len(contrasts) > 10
            assert [text for contrast, text in contrasts if contrast < LEAST_CONTRAST] == []
            told = await page.locator("body").aria_snapshot()
            assert UNNAMED.search(told) is None, told

        await expect(page.get_by_role("row", name="chat")).to_be_visible()
        brightness = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert brightness == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 29)")
        await check()
        await open_endpoint(page, "chat")
        await expect(page.get_by_role("log")).not_to_be_empty()
        await page.get_by_text("Scaling").click()
        await check()
        await page.get_by_role("button", name="Pause…").click()
        await expect(page.get_by_role("region", name="Plan")).to_be_visible()
        await check()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Pause…")).to_be_focused()


async def test_a_narrow_page_needs_no_scrolling_sideways(driver: Driver, dashboard: Dashboard, open_page: Open) -> None:
    await driver.create("chat-that-has-a-name-of-32-signs")
    async with (
        dashboard(driver.plane.url) as link,
        open_page(link, viewport={"width": 360, "height": 640}) as visit,
    ):
        await expect(visit.page.get_by_role("row", name="chat")).to_be_visible()
        assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await open_endpoint(visit.page, "chat-that-has-a-name-of-32-signs")
        assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.skipif(not AXE.exists(), reason="`make test-app` installs axe-core")
async def test_axe_finds_nothing_that_hinders_anybody(driver: Driver, dashboard: Dashboard, open_page: Open) -> None:
    await driver.create("chat")
    await driver.advance(400)
    async with dashboard(driver.plane.url) as link, open_page(link, bypass_csp=True) as visit:
        page = visit.page

        async def audit() -> None:
            found = await page.evaluate("async (rules) => axe.run({runOnly: rules})", RULES)
            assert len(found["passes"]) > 10
            assert [(one["id"], one["help"], one["nodes"][0]["html"]) for one in found["violations"]] == []

        await expect(page.get_by_role("row", name="chat")).to_be_visible()
        await page.add_script_tag(path=AXE)
        await audit()
        await open_endpoint(page, "chat")
        await expect(page.get_by_role("log")).not_to_be_empty()
        await page.get_by_text("Scaling").click()
        await page.get_by_role("figure", name="Load").get_by_text("Values").click()
        await audit()
        await page.get_by_role("button", name="Pause…").click()
        await expect(page.get_by_role("region", name="Plan")).to_be_visible()
        await audit()
