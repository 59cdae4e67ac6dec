"""What `doctor` checks, in which order, and what it ends with."""

import json
import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Run, Start
from tests.support.planes.plane_driver import TOKEN, PlaneOf
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.cli.checks import Check, check_account
from inference_endpoints_mcp.server.holding.hold import LearnedHold
from inference_endpoints_mcp.server.holding.learned_holds import LearnedHolds

WITH_MORE_QUOTAS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Another API", "version": "9"},
    "components": {"schemas": {"Quotas": {"type": "object", "required": ["soon"]}}},
    "paths": {
        "/v2/provider/quotas/{namespace}": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Quotas"}}}}
                }
            }
        }
    },
}
"""A document with a field that the plane does not send."""
MANAGE, CALL = "inference.endpoints.write", "inference.endpoints.infer.write"


async def checked(url: str) -> dict[str, Check]:
    async with AsyncEndpointsClient(local(url, TOKEN)) as client:
        return {check.subject: check for check in await check_account(client)}


def whoami_with(*permissions: str) -> dict[str, Any]:
    scope = {"entity": {"type": "user", "name": "acme"}, "permissions": list(permissions)}
    token = {"role": "fineGrained", "fineGrained": {"global": [], "scoped": [scope]}}
    return {"type": "user", "name": "acme", "canPay": True, "auth": {"accessToken": token}}


def test_without_a_token_both_ways_forward_are_named(run: Run) -> None:
    ended = run("doctor")
    assert ended.returncode == 1
    assert "HF_TOKEN" in ended.stdout
    assert "--local" in ended.stdout


def test_it_shows_what_was_learnt_of_hosts(run: Run, tmp_path: Path) -> None:
    with closing(LearnedHolds(tmp_path, time.time)) as holds:
        holds.change("a-host 2, over stdio", LearnedHold(3.5), lambda hold: LearnedHold(2 * hold.seconds))
    assert "a-host 2, over stdio: calls are held for up to 7 s" in run("doctor", "--data-dir", str(tmp_path)).stdout


def test_it_shows_no_token(run: Run) -> None:
    token = "hf_" + "q" * 34
    ended = run("doctor", HF_TOKEN=token, HTTPS_PROXY="http://127.0.0.1:9")
    assert token not in ended.stdout + ended.stderr


def test_everything_of_the_embedded_plane_is_read_and_as_documented(run: Run, tmp_path: Path) -> None:
    folder, report = ("--data-dir", str(tmp_path / "plane")), tmp_path / "report.json"
    ended = run("doctor", "--local", *folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for subject in ("whoami", "hardware", "quotas", "endpoints", "audit log", "catalogue"):
        assert f"ok      {subject}" in ended.stdout
    assert re.search(r"local workers +denied: .*writing files", ended.stdout)

    ended = run("doctor", "--local", *folder, "--live", "--report", str(report))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert "as documented  GET /v2/provider/quotas/{namespace}" in ended.stdout
    assert "the namespace has no endpoint" in ended.stdout
    assert "Compared with the models of version" in ended.stdout
    assert json.loads(report.read_text())["results"] in ended.stdout

    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(WITH_MORE_QUOTAS))
    ended = run("doctor", "--local", *folder, "--live", SERVICE_OPENAPI=str(document))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "differs        GET /v2/provider/quotas/{namespace}\n                 $.soon is missing" in ended.stdout
    assert "Compared with Another API 9, which describes 1 of these operations" in ended.stdout
    run("control-plane", "stop", *folder)


def test_the_account_comes_before_anything_else(run: Run, start: Start, tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path / "plane"))
    process = start("control-plane", "--simulated", "--no-payment-method", "--json", "--port", "0", *folder)
    assert process.stdout is not None
    process.stdout.readline()
    ended = run("doctor", "--local", "--simulated", *folder)
    assert ended.returncode == 1
    subjects = [line[8:24].strip() for line in ended.stdout.splitlines()[2:]]
    assert subjects[:4] == ["whoami", "permissions", "payment method", "backend"]
    assert "FAILED  payment method   Your quota reads 0 because no payment method is set" in ended.stdout


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("permissions", "ok", "consequence"),
    [
        ((MANAGE, CALL), True, ""),
        ((MANAGE,), None, f"lacks {CALL} for acme: calling endpoints will be refused"),
        (("inference.endpoints.read", CALL), None, f"lacks {MANAGE} for acme: changing endpoints will be refused"),
        ((CALL,), False, "lacks inference.endpoints.read, inference.endpoints.write for acme: reading endpoints"),
    ],
)
async def test_a_missing_permission_is_named_with_what_it_prevents(
    upstream: Upstream, permissions: tuple[str, ...], ok: bool | None, consequence: str
) -> None:
    upstream.answers("GET", "/api/whoami-v2", Answer(body=whoami_with(*permissions)))
    found = (await checked(upstream.url))["permissions"]
    assert found.ok is ok
    assert consequence in found.result


@pytest.mark.anyio
async def test_an_account_that_can_pay_passes(plane_of: PlaneOf) -> None:
    async with plane_of() as driver:
        found = await checked(driver.url)
    assert found["payment method"].ok
    assert found["payment method"].result.endswith("kinds of hardware")
