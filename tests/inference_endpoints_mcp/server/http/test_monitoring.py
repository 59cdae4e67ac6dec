"""Probes and metrics: what whoever runs the server sees of it, and that nobody else's words are in it."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Start
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.http_server import ON_LOOPBACK, http_server
from tests.support.hosts.options import options_for
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.http.prometheus import PrometheusMetrics, PrometheusTelemetry
from inference_endpoints_mcp.server.http.sign_in.keys import NamedKey

pytestmark = pytest.mark.anyio

MONITORING = Path(__file__).parents[4] / "manifests" / "monitoring"
CANARY = "a-prompt-of-somebody"


async def answer_of(address: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        return await client.get(address, headers=headers)


async def test_probes_need_no_key_and_no_host_name(backend: Backend, tmp_path: Path) -> None:
    named, _ = NamedKey.create("alice", None)
    (tmp_path / "keys").touch(mode=0o600)
    await asyncio.to_thread((tmp_path / "keys").write_text, str(named))
    async with http_server(options_for(backend), replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address:
        root = address.removesuffix("/mcp")
        for path in ("/healthz", "/readyz"):
            assert (await answer_of(root + path, Host="10.0.0.7:8000")).status_code == 200
        assert (await answer_of(root + "/healthz/mcp", Host="10.0.0.7:8000")).status_code == 421


async def test_without_its_control_plane_a_server_is_healthy_and_not_ready(free_tcp_port: int) -> None:
    nobody = local(f"http://127.0.0.1:{free_tcp_port}", "hf_token")
    async with http_server(options_for(nobody)) as address:
        root = address.removesuffix("/mcp")
        assert (await answer_of(root + "/healthz")).status_code == 200
        assert (await answer_of(root + "/readyz")).status_code == 503


async def metrics_of(upstream: Upstream, mode: Mode) -> str:
    """The metrics after some calls, as Prometheus reads them."""
    metrics = PrometheusMetrics()
    port = metrics.serve("127.0.0.1", 0)
    upstream.answers("GET", "/v3/endpoint/acme/chat/logs", Answer(body=[]))
    options = options_for(
        local(upstream.url, "hf_token"),
        limits=Limits(read_only=True),
        telemetry=PrometheusTelemetry(metrics, "readers"),
    )
    async with (
        http_server(options) as address,
        connected(streamable_http_client(address), mode) as host,
    ):
        await host.refused("get_endpoint", "NOT_FOUND", endpoint_name=CANARY)
        await host.refused("pause_endpoint", "REFUSED", endpoint_name=CANARY)
        await host.call("get_endpoint_logs", endpoint_name="chat")
    return (await answer_of(f"http://127.0.0.1:{port}/metrics")).text


async def test_calls_requests_and_refusals_are_counted_and_no_argument_is_shown(upstream: Upstream, mode: Mode) -> None:
    text = await metrics_of(upstream, mode)
    for line in [
        'calls_total{outcome="NOT_FOUND",profile="readers",tool="get_endpoint"} 1.0',
        'calls_total{outcome="REFUSED",profile="readers",tool="pause_endpoint"} 1.0',
        'calls_total{outcome="OK",profile="readers",tool="get_endpoint_logs"} 1.0',
        'requests_total{operation="get_endpoint",outcome="NOT_FOUND",profile="readers"} 1.0',
        'events_total{event="refusal",outcome="",profile="readers"} 1.0',
        'current{measure="calls",profile="readers"} 0.0',
        'current{measure="polled_endpoints",profile="readers"} 0.0',
    ]:
        assert f"inference_endpoints_mcp_{line}" in text
    assert CANARY not in text
    assert "hf_token" not in text


async def test_the_dashboard_and_the_alerts_ask_for_metrics_that_exist(upstream: Upstream) -> None:
    text = await metrics_of(upstream, "auto")
    exist = set(re.findall(r"^(inference_endpoints_mcp_\w+)", text, re.MULTILINE))
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    asked = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) >= 11
    assert set(re.findall(r"inference_endpoints_mcp_\w+", " ".join(asked))) <= exist


def test_the_command_says_where_the_metrics_are(start: Start, tmp_path: Path) -> None:
    flags = ["--local", "--data-dir", str(tmp_path), "--metrics", "127.0.0.1:0"]
    process = start("serve", "--http", "--port", "0", *flags)
    assert process.stderr is not None
    address = process.stderr.readline().removeprefix("Metrics at ").strip()
    assert httpx.get(address).status_code == 200
    assert process.stderr.readline().startswith("Serving ")
