"""Callers who bring a Hugging Face token of their own, in the header for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.client.streamable_http import streamable_http_client
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import PATIENT, Answer, Host, Mode, connected
from tests.support.hosts.options import options_for
from tests.support.service.scripted_upstream import Answer as Scripted
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints.transport.backend import hugging_face, local
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.application import ServerOptions

HEADER = "X-HF-Token"
FIRST, SECOND, THIRD = (f"hf_{letter * 34}" for letter in "XYZ")
"""Tokens, in the form of Hugging Face."""


def options_of_callers(urls: dict[str, str] | Upstream, **changes: Any) -> ServerOptions:
    """Callers act with their own token, at the address that belongs to it, or all at one."""

    def backend_of(token: str | None) -> Any:
        if isinstance(urls, Upstream):
            return local(urls.url, token)
        return local(urls[token], token) if token in urls else hugging_face(token)

    return options_for(backend_of(None), caller_backend=backend_of, **changes)


def shows_running(upstream: Upstream) -> None:
    """Endpoint acme/chat, whatever the token."""
    upstream.shows("running")
    upstream.answers("GET", "/v2/endpoint/acme", Scripted(body={"items": [upstream.endpoint("running")]}))
    upstream.answers("GET", "/v2/provider/acme", Scripted(body={"vendors": []}))


def headers_of(key: str | None, token: str | None) -> dict[str, str]:
    signed = {"Authorization": f"Bearer {key}"} if key else {}
    return signed | ({HEADER: token} if token else {})


@asynccontextmanager
async def client_of(key: str | None, token: str | None) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=headers_of(key, token), timeout=HANG_TIMEOUT_S) as client:
        yield client


@asynccontextmanager
async def acting(
    address: str,
    key: str | None,
    token: str | None,
    mode: Mode,
    *,
    answer: Answer | None = None,
    name: str = PATIENT,
) -> AsyncIterator[Host]:
    """A host of this caller, which acts with this token."""
    async with (
        client_of(key, token) as client,
        connected(streamable_http_client(address, http_client=client), mode, answer=answer, name=name) as host,
    ):
        yield host
