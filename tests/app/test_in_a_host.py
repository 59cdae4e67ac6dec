"""The page as an MCP App: in a sandbox of a host, which passes its calls on to the server."""

import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextResourceContents
from tests.app.conftest import Open
from tests.support.hosts.app_host import app_host
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.server.features.mcp_app import APP_URI

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

pytestmark = pytest.mark.anyio

SCHEMA = Path(
    sys.prefix, "page", "node_modules", "@modelcontextprotocol", "ext-apps", "dist", "src", "generated", "schema.json"
)
HOST = "http://host.example/"
HOST_PAGE = Path(__file__).with_name("host.html")
PLANNED = ApprovalPolicy(method=ApprovalMethod.PLAN, include_simulated=True)
BY_HOST = ApprovalPolicy(method=ApprovalMethod.HOST, include_simulated=True)
CHAT = {"endpoint_name": "chat"}
CLOUD = "aws-us-east-1-nvidia-l4-x1"


@dataclass
class Shown:
    """The page in its host: its document, what it sent, and which tools it called."""

    page: "Page"
    view: "FrameLocator"
    sent: list[dict[str, Any]]

    def called(self) -> list[str]:
        return [one["params"]["name"] for one in self.sent if one.get("method") == "tools/call"]


@asynccontextmanager
async def shown_beside(
    open_page: Open,
    client: Client,
    tool: str,
    arguments: dict[str, Any],
    *,
    can_call: bool = True,
    only_text: bool = False,
) -> AsyncIterator[Shown]:
    """A host that made this call of a tool, and shows the page beside its answer."""
    (contents,) = (await client.read_resource(APP_URI)).contents
    assert isinstance(contents, TextResourceContents)
    result = wire(await client.call_tool(tool, arguments))
    if only_text:
        del result["structuredContent"]
    given = {
        "page": contents.text,
        "tool": tool,
        "arguments": arguments,
        "result": result,
        "canCall": can_call,
        "variables": {"--color-background-primary": "rgb(1, 2, 3)", "--font-sans": "url(https://evil.example)"},
    }

    async def call_server(params: dict[str, Any]) -> dict[str, Any]:
        meta = {"meta": params["_meta"]} if "_meta" in params else {}
        return wire(await client.call_tool(params["name"], params["arguments"], **meta))

    sent: list[dict[str, Any]] = []

    async def prepare(page: "Page") -> None:
        await page.expose_function("callServer", call_server)
        await page.expose_function("received", lambda message: sent.append(message))
        await page.add_init_script(f"if (window === parent) window.given = {json.dumps(given)}")
        await page.route(HOST, lambda route: route.fulfill(body=HOST_PAGE.read_text("utf-8"), content_type="text/html"))

    async with open_page(HOST, prepare) as visit:
        yield Shown(visit.page, visit.page.frame_locator("#view"), sent)
    for message in sent:
        check_against_schema(message)


@cache
def definitions() -> dict[str, Any]:
    """The extension's own schema, from its SDK."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    return dict(schema["$defs"])


def check_against_schema(message: dict[str, Any]) -> None:
    """What the page says to its host is what the extension describes; the rest is plain MCP."""
    method = message.get("method", "")
    if not SCHEMA.exists() or not method.startswith("ui/"):
        return
    words = "".join(word[:1].upper() + word[1:] for word in re.split("[/-]", method.removeprefix("ui/notifications/")))
    kind = f"McpUi{words.removeprefix('Ui')}" + ("Request" if "id" in message else "Notification")
    described = {key: value for key, value in message.items() if key not in ("jsonrpc", "id")}
    jsonschema.validate(described, {**definitions()[kind], "$defs": definitions()})


def wire(result: Any) -> dict[str, Any]:
    assert isinstance(result, CallToolResult)
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def test_the_page_introduces_itself_and_shows_the_fleet(driver: Driver, open_page: Open) -> None:
    await driver.create("chat")
    async with app_host(driver.plane.url) as client, shown_beside(open_page, client, "list_endpoints", {}) as shown:
        await expect(shown.view.get_by_role("row", name="chat")).to_be_visible()
        await expect(shown.view.get_by_text("1 endpoint: ")).to_be_visible()
        first, second = (one for one in shown.sent[:2])
        assert first["method"] == "ui/initialize"
        assert first["params"]["protocolVersion"] == "2026-01-26"
        assert first["params"]["appInfo"]["name"] == "inference-endpoints"
        assert second["method"] == "ui/notifications/initialized"
        assert "get_fleet" in shown.called()
        sizes = [one["params"] for one in shown.sent if one.get("method") == "ui/notifications/size-changed"]
        assert sizes[-1]["height"] > 100
        body = shown.view.locator("body")
        await expect(body).to_have_css("background-color", "rgb(1, 2, 3)")
        assert "evil" not in await body.evaluate(
            "getComputedStyle(document.documentElement).getPropertyValue('--font-sans')"
        )
        assert await body.evaluate("document.documentElement.style.colorScheme") == "dark"
        await shown.page.evaluate("tell('ui/notifications/host-context-changed', {theme: 'light'})")
        await expect(shown.view.locator("html")).to_have_attribute(
            "style", "color-scheme: light; --color-background-primary: rgb(1, 2, 3);"
        )


@pytest.mark.parametrize("policy", [PLANNED, BY_HOST], ids=["plan", "host"])
async def test_a_plan_of_the_model_is_approved_by_a_person_in_the_page(
    driver: Driver, open_page: Open, policy: ApprovalPolicy
) -> None:
    wish = {"endpoint_name": "new", "repository": "org/model-1B", "hardware": CLOUD}
    async with (
        app_host(driver.plane.url, approval=policy) as client,
        shown_beside(open_page, client, "create_endpoint", wish) as shown,
    ):
        dialog = shown.view.get_by_role("dialog", name="Create new")
        await expect(dialog).to_contain_text("This is the plan: nothing was changed.")
        await expect(dialog.get_by_role("row", name="model.repository")).to_contain_text("org/model-1B")
        await expect(dialog).to_contain_text("at most $0.80/h")
        await expect(dialog.get_by_role("listitem").first).to_be_visible()  # what the server chose, and why
        assert (await driver.call("GET", "/v2/endpoint/acme/new")).status == 404
        assert "create_endpoint" not in shown.called(), "nothing is sent before the person approves"
        await dialog.get_by_role("button", name="Approve").click()
        await expect(dialog).to_contain_text("Its plan's token approved it")
        await dialog.get_by_role("button", name="Close").click()
        await expect(shown.view.get_by_role("heading", name="new")).to_be_visible()
    assert (await driver.get("new"))["model"]["repository"] == "org/model-1B"


async def test_a_button_calls_the_tool_through_the_host(driver: Driver, open_page: Open) -> None:
    await driver.create("chat")
    async with (
        app_host(driver.plane.url) as client,
        shown_beside(open_page, client, "get_endpoint", CHAT) as shown,
    ):
        await shown.view.get_by_role("button", name="Pause…").click()
        dialog = shown.view.get_by_role("dialog")
        await dialog.get_by_role("button", name="Pause", exact=True).click()
        await expect(dialog).to_contain_text("It is paused and not billed.")
        assert shown.called().count("pause_endpoint") == 2, "the plan, then the change"
        (told,) = (one["params"] for one in shown.sent if one.get("method") == "ui/update-model-context")
        assert told["content"][0]["text"].startswith("The user did this in the app. Pause chat: It is paused")
        await dialog.get_by_role("button", name="Close").click()
        await shown.view.get_by_role("button", name="Full screen").click()
        await shown.page.wait_for_function("window.modes?.includes('fullscreen')")
    assert await driver.state("chat") == "paused"


async def test_after_a_deletion_by_the_model_the_others_are_shown(driver: Driver, open_page: Open) -> None:
    await driver.create("chat")
    await driver.create("other")
    off = ApprovalPolicy(method=ApprovalMethod.OFF)
    async with (
        app_host(driver.plane.url, approval=off) as client,
        shown_beside(open_page, client, "delete_endpoint", CHAT) as shown,
    ):
        await expect(shown.view.get_by_role("row", name="other")).to_be_visible()
        await expect(shown.view.get_by_role("alert")).to_be_hidden()


async def test_a_host_that_passes_no_calls_on_shows_the_answer_and_no_buttons(driver: Driver, open_page: Open) -> None:
    await driver.create("chat")
    async with app_host(driver.plane.url) as client:
        async with shown_beside(open_page, client, "get_endpoint", CHAT, can_call=False) as shown:
            await expect(shown.view.get_by_role("definition").filter(has_text="gpt2")).to_be_visible()
            await expect(shown.view.get_by_role("button", name="Pause…")).to_have_count(0)
            assert shown.called() == []
        async with shown_beside(open_page, client, "get_costs", {}, can_call=False) as shown:
            await expect(shown.view.get_by_role("row", name="chat")).to_be_visible()
            assert shown.called() == []


async def test_a_host_that_passes_only_the_text_on_shows_each_row_of_its_tables(
    driver: Driver, open_page: Open
) -> None:
    for name in ("one", "two", "three"):
        await driver.create(name)
    async with (
        app_host(driver.plane.url) as client,
        shown_beside(open_page, client, "get_costs", {}, can_call=False, only_text=True) as shown,
    ):
        for name in ("one", "two", "three"):
            await expect(shown.view.get_by_role("row", name=name)).to_be_visible()
