"""Where the server's own token comes from, and that a new one is used when the old one is refused."""

import sys
from pathlib import Path

import pytest
from tests.support.command import write_private
from tests.support.hosts.host import serving, text_of
from tests.support.hosts.options import options_for
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import NotConfigured
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.backends.token_sources import (
    TokenSource,
    token_in_file,
    token_in_variable,
    token_of_command,
)

pytestmark = pytest.mark.anyio

REFUSED = Answer(401, {"error": "Invalid credentials"})
CHAT = "/v2/endpoint/acme/chat"


async def test_a_token_is_read_from_a_variable_a_private_file_or_what_a_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "hf_variable")
    file = write_private(tmp_path / "token", "hf_file\n")
    command = f"{sys.executable} -c \"print('hf_command'); print('more')\""
    sources = [token_in_variable("TEAM_TOKEN"), token_in_file(file), token_of_command(command)]
    assert [await source() for source in sources] == ["hf_variable", "hf_file", "hf_command"]


@pytest.mark.parametrize(
    "source",
    [
        token_in_variable("NO_SUCH_VARIABLE"),
        token_in_file(Path("/nowhere/token")),
        token_of_command("/nowhere/command"),
        token_of_command(f"{sys.executable} -c 1/0"),
        token_of_command('"'),
    ],
)
async def test_a_source_without_a_token_says_so_and_nothing_is_sent(source: TokenSource) -> None:
    with pytest.raises(NotConfigured, match=r"othing was sent"):
        await source()


async def test_a_refused_token_is_read_again_and_neither_is_shown(upstream: Upstream, tmp_path: Path) -> None:
    file = write_private(tmp_path / "token", "hf_the_old_token_of_the_team")
    read = token_in_file(file)

    async def reconnect(_: Backend) -> Backend:
        return local(upstream.url, await read() or "")

    upstream.answers(
        "GET", CHAT, REFUSED, Answer(body=upstream.endpoint("running") | {"name": "hf_the_new_token_of_it"})
    )
    backend = await reconnect(local(upstream.url, ""))
    async with serving(options_for(backend, reconnect=reconnect)) as host:
        write_private(file, "hf_the_new_token_of_it")
        result = await host.send("wait_for_endpoint", endpoint_name="chat", timeout_s=5)
    sent = [seen.headers["authorization"] for seen in upstream.seen if seen.path == CHAT]
    assert sent[:2] == ["Bearer hf_the_old_token_of_the_team", "Bearer hf_the_new_token_of_it"]
    assert "hf_the_new" not in text_of(result)


async def test_a_refused_token_that_is_still_the_same_is_an_error_at_once(upstream: Upstream) -> None:
    async def reconnect(lost: Backend) -> Backend:
        return lost

    upstream.answers("GET", CHAT, REFUSED)
    async with serving(options_for(local(upstream.url, "hf_old"), reconnect=reconnect)) as host:
        await host.refused("get_endpoint", "UNAUTHORIZED", endpoint_name="chat")
    assert len([seen for seen in upstream.seen if seen.path == CHAT]) == 1
