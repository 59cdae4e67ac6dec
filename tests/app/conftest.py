"""A real browser, and pages in it that may reach one server alone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.browser import find_browser
from tests.support.hosts.http_server import http_server
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN

from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.server.http.access import AccessRules
from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.http.page import OneTimeLinks
from inference_endpoints_mcp.server.transports import HttpOptions

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

WAIT_MS = 30_000


@dataclass
class Visit:
    """A page in a browser of its own, the origins that it reached, and what went wrong in it."""

    page: "Page"
    requested: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", lambda request: self.requested.add(origin_of(request.url)))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))


def origin_of(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


Dashboard = Callable[..., AbstractAsyncContextManager[str]]
Prepare = Callable[["Page"], Awaitable[None]]
Open = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One loop for all tests, as they share the browser."""
    return "asyncio"


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator["Browser"]:
    playwright = pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium is here: `make test-app` gets one where it can, or set CHROMIUM to its path")
    playwright.expect.set_options(timeout=WAIT_MS)
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path)
        yield browser
        await browser.close()


@pytest.fixture
def open_page(browser: "Browser") -> Open:
    """Opens an address. At the end nothing may have gone wrong, and no other server may have been asked for anything.

    `prepare` gets the page before it is opened. `visit.page` waits for what a test expects, so no test needs to sleep.
    """

    @asynccontextmanager
    async def opened(address: str, prepare: Prepare | None = None, **settings: Any) -> AsyncIterator[Visit]:
        context = await browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **settings})
        context.set_default_timeout(WAIT_MS)
        visit = Visit(await context.new_page())
        visit.page.on("request", lambda request: visit.requested.add("/".join(request.url.split("/", 3)[:3])))
        visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
        visit.page.on(
            "console", lambda message: visit.problems.append(message.text) if message.type == "error" else None
        )
        visit.page.on("dialog", lambda dialog: visit.problems.append(f"dialog: {dialog.message}"))
        try:
            if prepare:
                await prepare(visit.page)
            await visit.page.goto(address)
            yield visit
        finally:
            await context.close()
        assert visit.problems == []
        assert visit.requested == {origin_of(address)}

    return opened


@pytest.fixture
def dashboard() -> Dashboard:
    """Serves a dashboard of a control plane at this address, for the length of a block. Yields its link."""

    @asynccontextmanager
    async def served(url: str, **options: Any) -> AsyncIterator[str]:
        links = OneTimeLinks()
        http = HttpOptions(TcpAddress("127.0.0.1", 0), AccessRules.on_loopback(), links=links)
        async with http_server(options_for(local(url, TOKEN), **options), http) as address:
            yield links.link(address.removesuffix("mcp"))

    return served
