"""A caller of a server over HTTP, raw: one JSON object a request, so that hundreds of callers cost little."""

import json
import ssl
from collections.abc import Callable
from typing import Any

from tests.benchmarks.peers.peer import Era
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import PATIENT
from tests.support.hosts.http_server import ACCEPT

from inference_endpoints.transport.http import httpx

_META = "io.modelcontextprotocol/"
_HOST = {"name": PATIENT, "version": "1"}
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared: to load the authorities of the system takes each client some 20 ms."""


class Caller:
    """One who signs in with a key. Fails with `AssertionError` at any answer that is an error."""

    def __init__(self, address: str, era: Era, key: str) -> None:
        self.era = era
        self._address = address
        self._last = 0
        self._http = httpx.AsyncClient(
            headers=ACCEPT | {"Authorization": f"Bearer {key}", "MCP-Protocol-Version": era},
            verify=_NO_TLS,
            trust_env=False,
            timeout=HANG_TIMEOUT_S,
        )

    async def begin(self) -> None:
        """Open a session, where the era has one."""
        if self.era is Era.LEGACY:
            given = {"protocolVersion": self.era, "capabilities": {}, "clientInfo": _HOST}
            await self._request("initialize", given)
            answer = await self._http.post(
                self._address, json={"jsonrpc": "2.0", "method": "notifications/initialized"}
            )
            assert answer.status_code == 202, answer.text

    async def end(self) -> None:
        if self.era is Era.LEGACY:
            (await self._http.delete(self._address)).raise_for_status()
        await self._http.aclose()

    async def call(self, tool: str, on_progress: Callable[[], None] | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its structured content."""
        result = await self._request("tools/call", {"name": tool, "arguments": arguments}, on_progress)
        assert not result.get("isError"), result["content"]
        return dict(result["structuredContent"])

    async def wait(self, endpoint_name: str, opened: Callable[[], None], until: str = "running") -> None:
        """Wait until an endpoint is so. `opened` is called when the server shows that it waits, at least once."""
        arguments: dict[str, Any] = {"endpoint_name": endpoint_name, "until": until}
        while not (answer := await self.call("wait_for_endpoint", opened, **arguments))["reached"]:
            arguments = answer["next"][0]["arguments"]

    async def _request(
        self, method: str, params: dict[str, Any], on_progress: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        self._last += 1
        number = self._last
        meta: dict[str, Any] = {"progressToken": number} if on_progress else {}
        headers = {}
        if self.era is Era.MODERN:
            meta |= {f"{_META}protocolVersion": self.era, f"{_META}clientCapabilities": {}, f"{_META}clientInfo": _HOST}
            headers = {"Mcp-Method": method, "Mcp-Name": params["name"]}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params | {"_meta": meta}}
        async with self._http.stream("POST", self._address, json=message, headers=headers) as response:
            if not response.is_success:
                raise AssertionError(f"{response.status_code}: {(await response.aread())[:500]!r}")
            if session := response.headers.get("mcp-session-id"):
                self._http.headers["Mcp-Session-Id"] = session
            answer = await _answer(response, number, on_progress)
        assert "result" in answer, answer
        return dict(answer["result"])


async def _answer(response: httpx.Response, number: int, on_progress: Callable[[], None] | None) -> dict[str, Any]:
    if "event-stream" not in response.headers["content-type"]:
        return dict(json.loads(await response.aread()))
    async for event in httpx.EventSource(response):
        message = json.loads(event.data) if event.data else {}
        if message.get("id") == number:
            return dict(message)
        if on_progress is not None and message.get("method") == "notifications/progress":
            on_progress()
    raise AssertionError("the stream ended without an answer")
