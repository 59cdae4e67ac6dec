"""Which tokens are sent, and to which addresses."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.inference_endpoints.transport.conftest import READ_CHAT, Recorder, call
from tests.support.service.scripted_upstream import TOKEN, Upstream

from inference_endpoints.errors import NotConfigured, Unauthorized
from inference_endpoints.transport.backend import Backend, hugging_face
from inference_endpoints.transport.http import HttpTransport
from inference_endpoints.transport.operations import GET
from inference_endpoints.transport.token import hugging_face_token

pytestmark = pytest.mark.anyio


async def test_without_a_token_nothing_is_sent(upstream: Upstream, backend: Backend) -> None:
    with pytest.raises(NotConfigured):
        await HttpTransport(replace(backend, token=None)).send(READ_CHAT, GET)
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("${HF_TOKEN}", "placeholder"),
        ("%HF_TOKEN%", "placeholder"),
        ("<your token>", "placeholder"),
        ("hf_one hf_two", "a space or a line break"),
        ("hf_one\nhf_two", "a space or a line break"),
        ("hf_tökén", "a character that no token has"),
        ("'hf_quoted'", "a character that no token has"),
        ("", "empty"),
        (" ", "empty"),
    ],
)
async def test_a_malformed_token_is_not_sent_and_not_shown(
    upstream: Upstream, backend: Backend, token: str, problem: str
) -> None:
    guard = Recorder()
    http = HttpTransport(replace(backend, token=token), guard=guard)
    with pytest.raises(Unauthorized, match=problem) as caught:
        await http.send(READ_CHAT, GET)
    with pytest.raises(Unauthorized, match=problem):
        async with http.call_endpoint(call(upstream)):
            pass
    assert upstream.seen == []
    assert guard.actions == ["call endpoint acme/chat"]
    assert not token.strip() or token not in str(caught.value)


async def test_white_space_around_a_token_is_removed(upstream: Upstream, backend: Backend) -> None:
    upstream.shows("running")
    async with AsyncExitStack() as stack:
        http = HttpTransport(replace(backend, token=f" {TOKEN}\n"))
        stack.push_async_callback(http.aclose)
        await http.send(READ_CHAT, GET)
    assert upstream.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("reference", ["${HF_TOKEN}", "$HF_TOKEN", "{env:HF_TOKEN}", ""])
async def test_a_saved_token_wins_over_a_reference_that_a_host_passed_on_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference: str
) -> None:
    saved = tmp_path / "token"
    saved.write_text("hf_saved")
    monkeypatch.setenv("HF_TOKEN", reference)
    monkeypatch.setenv("HF_TOKEN_PATH", str(saved))
    assert hugging_face_token() == "hf_saved"
    saved.unlink()
    assert hugging_face_token() == (reference or None)


@pytest.mark.parametrize(("variable", "source"), [("hf tökén", "in HF_TOKEN"), ("", "that `hf auth login` saved")])
async def test_a_malformed_token_is_reported_with_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, source: str
) -> None:
    saved = tmp_path / "token"
    saved.write_bytes(b"hf_\xff")
    monkeypatch.setenv("HF_TOKEN", variable)
    monkeypatch.setenv("HF_TOKEN_PATH", str(saved))
    with pytest.raises(Unauthorized, match=f"The token {source} is malformed"):
        await HttpTransport(hugging_face(hugging_face_token())).send(READ_CHAT, GET)


async def test_the_token_goes_to_the_control_plane_and_to_trusted_endpoints(
    upstream: Upstream, http: HttpTransport
) -> None:
    upstream.shows("running")
    await http.send(READ_CHAT, GET)
    async with http.call_endpoint(call(upstream)):
        pass
    assert [seen.headers["authorization"] for seen in upstream.seen] == [f"Bearer {TOKEN}"] * 2


async def test_an_untrusted_address_is_called_without_the_token(upstream: Upstream, foreign: Backend) -> None:
    http = HttpTransport(foreign)
    async with http.call_endpoint(call(upstream)) as response:
        assert response.status_code == 404
    await http.aclose()
    assert "authorization" not in upstream.seen[0].headers
    assert TOKEN not in str(upstream.seen[0])


@pytest.mark.parametrize(
    "url",
    [
        "http://x.endpoints.huggingface.cloud",
        "https://endpoints.huggingface.cloud.evil.example",
        "https://evilendpoints.huggingface.cloud",
        "https://x.endpoints.huggingface.cloud@evil.example",
        "https://evil.example/.endpoints.huggingface.cloud",
        "https://evil.example?.endpoints.huggingface.cloud",
        "https://user@x.endpoints.huggingface.cloud",
        "https://",
    ],
)
def test_an_address_that_only_resembles_the_services_is_not_trusted(url: str) -> None:
    assert not hugging_face(TOKEN).trusts(url)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://llm.acme.example", True),
        ("https://x.gpu.acme.example/v1", True),
        ("https://gpu.acme.example", False),
        ("https://evilgpu.acme.example", False),
        ("https://x.llm.acme.example", False),
        ("http://llm.acme.example", False),
        ("https://llm.acme.example.evil.example", False),
    ],
)
def test_only_the_exact_hosts_of_the_operator_are_trusted(url: str, trusted: bool) -> None:
    assert hugging_face(TOKEN, ("llm.acme.example", ".gpu.acme.example")).trusts(url) is trusted


@pytest.mark.parametrize(
    "url",
    [
        "https://vksrvs8pc1xnifhq.us-east-1.aws.endpoints.huggingface.cloud",
        "https://68a0f3b5c6ee5c9dcc0e0a01.endpoints.huggingface.cloud",
    ],
)
def test_both_forms_of_the_services_addresses_are_trusted(url: str) -> None:
    assert hugging_face(TOKEN).trusts(url)


@pytest.mark.parametrize("show", [repr, str])
def test_the_token_is_never_shown(show: Callable[[object], str]) -> None:
    backend = hugging_face(TOKEN)
    assert TOKEN not in show(backend)
    assert TOKEN not in show(HttpTransport(backend))
