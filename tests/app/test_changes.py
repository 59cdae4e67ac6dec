"""Changes from the page: the plan and its price first, and then the approval that the server wants, from a person."""

import pytest
from tests.app.conftest import Dashboard, Open
from tests.app.test_endpoint import open_endpoint
from tests.support.planes.plane_driver import CAN_SLEEP, Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import expect

pytestmark = pytest.mark.anyio

ASKING = ApprovalPolicy(include_simulated=True)
CLOUD = {"compute": {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1", **CAN_SLEEP}}
CONFIGURED = {**CLOUD, "model": {"repository": "org/model-1B"}}


async def test_pausing_shows_its_plan_and_changes_nothing_before_the_person_goes_on(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    await driver.create("chat", **CONFIGURED)
    await driver.advance(400)
    async with dashboard(driver.plane.url) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "chat")
        dialog = page.get_by_role("dialog", name="Pause chat")
        await page.get_by_role("button", name="Pause…").click()
        plan = dialog.get_by_role("region", name="Plan")
        await expect(plan).to_contain_text("Now $0.80/h, afterwards $0, at most $0. Simulated: nothing is billed.")
        await expect(plan).to_contain_text("It stops answering until it is resumed.")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        assert await driver.state("chat") == "running"
        await page.get_by_role("button", name="Pause…").click()
        await expect(dialog.get_by_role("button", name="Pause", exact=True)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(dialog).to_contain_text("It is paused and not billed.")
        assert await driver.state("chat") == "paused"
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("chat paused")
        await expect(page.get_by_role("button", name="Resume…")).to_be_visible()
        await expect(page.get_by_role("button", name="Pause…")).to_have_count(0)


async def test_what_may_cost_more_is_asked_in_the_servers_own_words(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    await driver.create("chat", **CONFIGURED)
    await driver.do("chat", "pause")
    async with dashboard(driver.plane.url, approval=ASKING) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "chat")
        dialog = page.get_by_role("dialog", name="Resume chat")
        question = dialog.get_by_label("Question")

        async def reach_question() -> None:
            await page.get_by_role("button", name="Resume…").click()
            await expect(dialog).to_contain_text("Carrying it out needs approval, because it may cost more")
            await dialog.get_by_role("button", name="Resume", exact=True).click()
            await expect(question).to_contain_text("Resume endpoint acme/chat?")
            await expect(question).to_contain_text("It then costs $0.8 per hour")
            assert await driver.state("chat") == "paused"

        for refuse in ("Decline", "Escape", "Send answer"):
            await reach_question()
            if refuse == "Escape":
                await page.keyboard.press("Escape")
            else:
                await dialog.get_by_role("button", name=refuse).click()
                await expect(dialog).to_contain_text("not approved: nothing was changed")
                await dialog.get_by_role("button", name="Close").click()
            await expect(dialog).to_be_hidden()
            assert await driver.state("chat") == "paused"
        await reach_question()
        await dialog.get_by_label("Approve").check()
        await dialog.get_by_role("button", name="Send answer").click()
        await expect(dialog).to_contain_text("A person was asked, because it may cost more")
    assert await driver.state("chat") != "paused"


async def test_a_deletion_needs_the_name_typed(driver: Driver, dashboard: Dashboard, open_page: Open) -> None:
    await driver.create("chat", **CONFIGURED)
    async with dashboard(driver.plane.url) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "chat")
        dialog = page.get_by_role("dialog", name="Delete chat")
        for typed, outcome in (("chart", "nothing was deleted"), ("chat", "deleted")):
            await page.get_by_role("button", name="Delete…").click()
            await expect(dialog).to_contain_text("It cannot be undone.")
            await dialog.get_by_role("button", name="Delete", exact=True).click()
            await expect(dialog.get_by_label("Question")).to_contain_text("This cannot be undone.")
            await dialog.get_by_label("Endpoint name").fill(typed)
            await page.keyboard.press("Enter")
            await expect(dialog).to_contain_text(outcome)
            assert ((await driver.call("GET", "/v2/endpoint/acme/chat")).status == 404) == (typed == "chat")
            await dialog.get_by_role("button", name="Close").click()


async def test_a_change_of_settings_is_a_difference_with_its_price(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    await driver.create("chat", **CONFIGURED)
    planned = ApprovalPolicy(method=ApprovalMethod.PLAN, include_simulated=True)
    async with dashboard(driver.plane.url, approval=planned) as link, open_page(link) as visit:
        page = visit.page
        await open_endpoint(page, "chat")
        await page.get_by_text("Scaling").click()
        await page.get_by_label("Most replicas").fill("3")
        await page.get_by_role("button", name="Show the plan…").click()
        dialog = page.get_by_role("dialog", name="Scale chat")
        await expect(dialog.get_by_role("row", name="compute.scaling.maxReplica 1 3")).to_be_visible()
        await expect(dialog).to_contain_text("Now $0.80/h, afterwards $0.80/h, at most $2.40/h ($1752 a month).")
        await dialog.get_by_role("button", name="Change", exact=True).click()
        await expect(dialog).to_contain_text("This is the plan: nothing was changed.")
        assert (await driver.get("chat"))["compute"]["scaling"]["maxReplica"] == 1
        await dialog.get_by_role("button", name="Approve").click()
        await expect(dialog).to_contain_text("Its plan's token approved it")
    assert (await driver.get("chat"))["compute"]["scaling"]["maxReplica"] == 3


async def test_all_that_a_filter_leaves_are_changed_with_one_plan(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    for name in ("chat-1", "chat-2", "other"):
        await driver.create(name, **CONFIGURED)
    await driver.advance(400)
    async with dashboard(driver.plane.url) as link, open_page(link) as visit:
        page = visit.page
        await expect(page.get_by_role("row", name="other")).to_be_visible()
        group = page.get_by_role("group", name="Changes of all shown")
        await expect(group.get_by_role("button")).to_have_count(0)
        await page.get_by_label("Search").fill("chat")
        await group.get_by_role("button", name="Pause 2 endpoints…").click()
        dialog = page.get_by_role("dialog", name="Pause 2 endpoints")
        await expect(dialog).to_contain_text("Now $1.60/h, afterwards $0")
        for name in ("chat-1", "chat-2"):
            await expect(dialog.get_by_role("row", name=name)).to_contain_text("planned")
        await dialog.get_by_role("button", name="Pause", exact=True).click()
        for name in ("chat-1", "chat-2"):
            await expect(dialog.get_by_role("row", name=name)).to_contain_text("changed")
    assert [await driver.state(name) for name in ("chat-1", "chat-2", "other")] == ["paused", "paused", "running"]


async def test_what_policy_forbids_is_refused_to_a_button_too(
    driver: Driver, dashboard: Dashboard, open_page: Open
) -> None:
    await driver.create("chat", **CONFIGURED)
    async with (
        dashboard(driver.plane.url, limits=Limits(read_only=True)) as link,
        open_page(link) as visit,
    ):
        page = visit.page
        await open_endpoint(page, "chat")
        await page.get_by_role("button", name="Pause…").click()
        await expect(page.get_by_role("dialog")).to_contain_text("This server is read-only")
    assert await driver.state("chat") != "paused"
