"""Callers who sign in at an identity provider, with the SDK's own client: from the first refusal to more rights."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl
from tests.support.command import Run
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server
from tests.support.hosts.identity_provider import IdentityProvider, identity_provider
from tests.support.hosts.options import options_for

from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.http.sign_in import oauth
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings
from inference_endpoints_mcp.server.scopes import MANAGE, READ
from inference_endpoints_mcp.server.transports import HttpOptions

pytestmark = pytest.mark.anyio


@dataclass
class Serving:
    address: str
    provider: IdentityProvider
    options: ServerOptions


@pytest.fixture
async def serving(free_tcp_port: int, backend: Backend, tmp_path: Path) -> AsyncIterator[Serving]:
    resource = f"http://127.0.0.1:{free_tcp_port}/mcp"
    options = options_for(backend, audit_file=tmp_path / "audit")
    async with identity_provider() as provider:
        settings = OAuthSettings(provider.issuer, resource)
        http = HttpOptions(TcpAddress("127.0.0.1", free_tcp_port), ON_LOOPBACK.access, oauth=settings)
        async with http_server(options, http) as address:
            assert address == resource
            yield Serving(address, provider, options)


class Storage(TokenStorage):
    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def signing_in(serving: Serving, mode: Mode) -> AsyncIterator[Host]:
    """A client that follows the whole sign-in; a person would only see the provider's page."""
    answered: dict[str, list[str]] = {}

    async def redirect(url: str) -> None:
        async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as browser:
            page = await browser.get(url)
        answered.update(parse_qs(urlsplit(page.headers["location"]).query))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=answered["code"][0], state=answered["state"][0])

    metadata = OAuthClientMetadata(
        client_name="a host",
        redirect_uris=[AnyUrl("http://127.0.0.1:1/callback")],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_post",
    )
    auth = OAuthClientProvider(serving.address, metadata, Storage(), redirect, callback)
    async with (
        httpx.AsyncClient(auth=auth, timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(serving.address, http_client=client), mode) as host,
    ):
        yield host


async def test_a_client_signs_in_to_read_and_is_asked_for_more_when_it_changes_something(
    serving: Serving, mode: Mode
) -> None:
    async with signing_in(serving, mode) as host:
        assert "delete_endpoint" in {tool.name for tool in (await host.client.list_tools()).tools}
        assert serving.provider.sign_ins == [[READ]]
        await host.refused("get_endpoint", "NOT_FOUND", endpoint_name="none")
        assert serving.provider.sign_ins == [[READ]]
        await host.refused("pause_endpoint", "NOT_FOUND", endpoint_name="none")
        assert serving.provider.sign_ins == [[READ], [MANAGE, READ]]
        await host.refused("pause_endpoint", "NOT_FOUND", endpoint_name="none")
        assert len(serving.provider.sign_ins) == 2


async def test_a_token_that_ends_is_refreshed_without_a_person(serving: Serving, mode: Mode) -> None:
    async with signing_in(serving, mode) as host:
        serving.provider.says_valid_for_s = 0
        await host.refused("pause_endpoint", "NOT_FOUND", endpoint_name="none")  # signs in again, for more rights
        serving.provider.says_valid_for_s = 300
        sign_ins = len(serving.provider.sign_ins)
        await host.refused("pause_endpoint", "NOT_FOUND", endpoint_name="none")
    assert (len(serving.provider.sign_ins), serving.provider.refreshes) == (sign_ins, 1)


async def status_of(serving: Serving, token: str, **message: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        headers = ACCEPT | {"Authorization": f"Bearer {token}"}
        return await client.post(serving.address, json=INITIALIZE | message, headers=headers)


HOUR = 3_600


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example/mcp"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - HOUR},
        {"exp": None},
        {"nbf": int(time.time()) + HOUR},
        {"sub": None},
        {"scope": "profile email"},
        {"scope": None},
    ],
)
async def test_a_token_that_is_not_for_this_server_and_now_is_refused(serving: Serving, claims: dict[str, Any]) -> None:
    given = {"aud": serving.address, "scope": READ}
    assert (await status_of(serving, serving.provider.jwt(**given))).status_code == 200
    refused = await status_of(serving, serving.provider.jwt(**given | claims))
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert 'error="invalid_token"' in challenge
    assert (
        f'resource_metadata="{serving.address.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")}"'
        in challenge
    )


async def test_a_token_that_the_provider_did_not_sign_is_refused(serving: Serving) -> None:
    claims = {"iss": serving.provider.issuer, "sub": "eve", "aud": serving.address, "scope": READ, "exp": 2**31}
    real = serving.provider.jwt(aud=serving.address, scope=READ)
    head, _, signature = real.split(".")
    key_id = {"kid": serving.provider.key_id}
    forged = [
        jwt.encode(claims, "", "none", headers=key_id),
        jwt.encode(claims, "x" * 64, "HS256", headers=key_id),
        IdentityProvider(serving.provider.issuer).jwt(aud=serving.address, scope=READ),
        ".".join([head, jwt.encode(claims, "x" * 64, "HS256").split(".")[1], signature]),
        "a.b.c",
        "a",
    ]
    assert {(await status_of(serving, token)).status_code for token in forged} == {401}


async def test_new_keys_of_the_provider_are_found_and_nobody_can_make_the_server_ask_for_them_often(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"aud": serving.address, "scope": READ}
    assert (await status_of(serving, serving.provider.jwt(**given))).status_code == 200
    serving.provider.rotate()
    reads = serving.provider.key_reads
    assert {(await status_of(serving, serving.provider.jwt(**given))).status_code for _ in range(5)} == {401}
    assert serving.provider.key_reads == reads
    monkeypatch.setattr(oauth, "NEW_KEYS_EVERY_S", 0.0)
    assert (await status_of(serving, serving.provider.jwt(**given))).status_code == 200


async def test_without_its_provider_known_callers_go_on_and_others_learn_why_not(
    free_tcp_port: int, backend: Backend
) -> None:
    resource = f"http://127.0.0.1:{free_tcp_port}/mcp"
    async with AsyncExitStack() as running:
        provider = await running.enter_async_context(identity_provider())
        settings = OAuthSettings(provider.issuer, resource)
        http = HttpOptions(TcpAddress("127.0.0.1", free_tcp_port), ON_LOOPBACK.access, oauth=settings)
        async with http_server(options_for(backend), http) as address:
            serving = Serving(address, provider, options_for(backend))
            token = provider.jwt(aud=address, scope=READ)
            assert (await status_of(serving, token)).status_code == 200
            await running.aclose()
            assert (await status_of(serving, token)).status_code == 200
    async with http_server(options_for(backend), http) as address:
        unreachable = await status_of(serving, token)
        assert (unreachable.status_code, unreachable.headers["retry-after"]) == (503, "10")


def test_a_provider_is_reached_by_https_and_belongs_to_an_address_of_this_server(run: Run) -> None:
    for flags, why in [
        (["--oauth-issuer", "https://idp.example"], "need each other"),
        (["--oauth-issuer", "http://idp.example", "--oauth-resource", "https://mcp.example/mcp"], "https"),
        (["--oauth-issuer", "https://idp.example", "--oauth-resource", "mcp.example"], "https"),
    ]:
        ended = run("serve", "--http", "--port", "0", *flags)
        assert ended.returncode == 2
        assert why in ended.stderr


async def test_people_who_use_one_client_do_not_share_its_sessions(free_tcp_port: int, backend: Backend) -> None:
    resource = f"http://127.0.0.1:{free_tcp_port}/mcp"
    async with identity_provider() as provider:
        settings = OAuthSettings(provider.issuer, resource)
        listening = TcpAddress("127.0.0.1", free_tcp_port)
        http = HttpOptions(listening, ON_LOOPBACK.access, oauth=settings, max_sessions=1)
        async with http_server(options_for(backend), http) as address, httpx.AsyncClient() as client:
            tokens = [provider.jwt(aud=address, scope=READ, sub=name) for name in ("alice", "bob")]
            people = [ACCEPT | {"Authorization": f"Bearer {token}"} for token in tokens]
            opened = await client.post(address, json=INITIALIZE, headers=people[0])
            used = people[0] | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
            async with client.stream("GET", address, headers=used):
                assert (await client.post(address, json=INITIALIZE, headers=people[0])).status_code == 429
                assert (await client.post(address, json=INITIALIZE, headers=people[1])).status_code == 200
