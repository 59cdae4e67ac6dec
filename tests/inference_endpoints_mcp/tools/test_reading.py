"""What a tool must read is read at the same time: here nothing is answered until everything was requested."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from tests.support.hosts.host import serving
from tests.support.hosts.options import options_for
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import SILENT, TOKEN, Answer, Upstream

from inference_endpoints.transport.backend import HUGGING_FACE, local

pytestmark = pytest.mark.anyio

ENDPOINT, HARDWARE = "/v2/endpoint/acme/chat", "/v2/provider/acme"
OF_THE_MODEL = {"/api/models/org/model", "/org/model/raw/main/config.json"}
MODEL = {"repository": "org/model"}


@pytest.mark.parametrize(
    ("tool", "arguments", "reads"),
    [
        ("pause_endpoint", {}, {ENDPOINT, HARDWARE}),
        ("resume_endpoint", {}, {ENDPOINT, HARDWARE}),
        ("scale_endpoint_to_zero", {}, {ENDPOINT, HARDWARE}),
        ("update_endpoint", {"max_replica": 2}, {ENDPOINT, HARDWARE}),
        ("delete_endpoint", {}, {ENDPOINT, HARDWARE}),
        ("create_endpoint", MODEL, {ENDPOINT, HARDWARE} | OF_THE_MODEL),
    ],
)
async def test_what_a_change_needs_to_know_is_requested_at_once(
    upstream: Upstream, tool: str, arguments: dict[str, Any], reads: set[str]
) -> None:
    for path in reads:
        upstream.answers("GET", path, SILENT)
    service = replace(local(upstream.url, TOKEN), name=HUGGING_FACE)
    async with serving(options_for(service)) as host:
        calling = asyncio.create_task(host.send(tool, endpoint_name="chat", **arguments))
        await eventually(lambda: reads <= {seen.path.partition("?")[0] for seen in upstream.seen})
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling


async def test_of_two_reads_that_fail_the_error_of_the_endpoint_is_told(upstream: Upstream) -> None:
    upstream.answers("GET", ENDPOINT, Answer(status=403, body={"error": "no"}))
    upstream.answers("GET", HARDWARE, Answer(status=404, body={"error": "no"}))
    async with serving(options_for(local(upstream.url, TOKEN))) as host:
        await host.refused("pause_endpoint", "FORBIDDEN", endpoint_name="chat")
