"""`dashboard`: the page for whoever has the link, once, and for nobody else."""

import base64
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Run, Start
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import connected

from inference_endpoints.transport.http import httpx

pytestmark = pytest.mark.anyio


@pytest.fixture
def dashboard(start: Start, tmp_path: Path, run: Run) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A dashboard with a simulated plane in a new folder, and its link."""
    folder = ["--data-dir", str(tmp_path / "plane")]
    process = start("dashboard", "--no-browser", "--local", "--simulated", *folder)
    yield process, next_link(process)
    run("control-plane", "stop", *folder)


def next_link(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    while "http" not in (line := process.stdout.readline()):
        assert line, "it ended"
    return line.split()[-1]


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_link_is_exchanged_once_for_the_key_that_every_call_needs(
    dashboard: tuple["subprocess.Popen[str]", str],
) -> None:
    process, link = dashboard
    root, code = link.split("#code=")
    assert httpx.post(f"{root}session").status_code == 403
    assert httpx.post(f"{root}session", headers=bearing("guessed")).status_code == 403
    exchanged = httpx.post(f"{root}session", headers=bearing(code))
    assert exchanged.headers["cache-control"] == "no-store"
    assert not exchanged.headers.get("set-cookie")
    key = exchanged.json()["key"]
    assert httpx.post(f"{root}session", headers=bearing(code)).status_code == 403, "it was used"
    next_code = next_link(process).split("#code=")[1]
    assert httpx.post(f"{root}session", headers=bearing(next_code)).json() == {"key": key}
    assert httpx.post(f"{root}mcp", json={}).status_code == 401
    assert httpx.post(f"{root}mcp", json={}, headers=bearing(code)).status_code == 401
    async with (
        httpx.AsyncClient(headers=bearing(key), timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(f"{root}mcp", http_client=client), "auto") as host,
    ):
        assert (await host.call("list_endpoints"))["total"] == 0


def test_the_page_has_a_policy_under_which_it_reaches_its_own_server_alone(
    dashboard: tuple["subprocess.Popen[str]", str],
) -> None:
    root = dashboard[1].split("#")[0]
    page = httpx.get(root)
    assert page.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (part,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        assert policy[directive] == f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"


def test_it_opens_the_link_in_the_browser_that_the_person_has(
    start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o700)
    environment["BROWSER"] = f"{browser} %s"
    process = start("dashboard", "--local", "--data-dir", str(tmp_path / "plane"))
    assert opened.read_text("utf-8").strip() == next_link(process)


def test_another_host_or_origin_is_refused_everywhere(dashboard: tuple["subprocess.Popen[str]", str]) -> None:
    root, code = dashboard[1].split("#code=")
    for method, path in (("GET", ""), ("POST", "session"), ("POST", "mcp")):
        for headers, status in (({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)):
            assert httpx.request(method, root + path, headers=headers | bearing(code)).status_code == status
    assert httpx.post(f"{root}session", headers=bearing(code)).status_code == 200, "no refusal used it up"
