"""`serve --http --profiles`: groups of callers with a token, limits and a budget of their own."""

import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Run, Start, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected
from tests.support.hosts.http_server import ON_LOOPBACK, http_server
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf

from inference_endpoints.transport.backend import local
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.cli.main import main
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.http.sign_in.keys import NamedKey
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings

pytestmark = pytest.mark.anyio

CLOUD = "aws-us-east-1-nvidia-l4-x1"


def write_keys(path: Path, profiles: Mapping[str, str | None]) -> dict[str, str]:
    """A file of keys with these profiles; returns the keys by name."""
    created = {name: NamedKey.create(name, None, profile) for name, profile in profiles.items()}
    write_private(path, "\n".join(str(named) for named, _ in created.values()))
    return {name: key for name, (_, key) in created.items()}


@asynccontextmanager
async def signed_in(address: str, key: str, mode: Mode) -> AsyncIterator[Host]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(address, http_client=client), mode) as host,
    ):
        yield host


async def test_two_callers_side_by_side_see_and_change_only_what_their_profile_has(
    plane_of: PlaneOf, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": "readers", "bob": "ops", "carol": None})
    async with plane_of() as plane_of_alice, plane_of() as plane_of_bob:
        await plane_of_alice.create("hers")
        await plane_of_bob.create("his")
        common = {"audit_file": tmp_path / "audit"}
        profiles = {
            "readers": profile(plane_of_alice, "readers", limits=Limits(read_only=True), **common),
            "ops": profile(plane_of_bob, "ops", **common),
        }
        http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys")
        async with (
            http_server(profiles["ops"], http, profiles) as address,
            signed_in(address, keys["alice"], mode) as alice,
            signed_in(address, keys["bob"], mode) as bob,
        ):
            for host, own, other in [(alice, "hers", "his"), (bob, "his", "hers")] * 2:
                listed = await host.call("list_endpoints")
                assert [row["endpoint_name"] for row in listed["endpoints"]] == [own]
                await host.refused("get_endpoint", "NOT_FOUND", endpoint_name=other)
            await alice.refused("pause_endpoint", "REFUSED", endpoint_name="hers")
            assert "pause_endpoint" not in {tool.name for tool in (await alice.client.list_tools()).tools}
            assert (await bob.call("pause_endpoint", endpoint_name="his"))["changed"] is True
            async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
                nobody = await client.post(address, json={}, headers={"Authorization": f"Bearer {keys['carol']}"})
            assert nobody.status_code == 403
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert {(line["signed_in"], line["profile"], line["event"]) for line in lines} == {
        ("alice", "readers", "refusal"),
        ("bob", "ops", "change"),
    }


def profile(plane: Driver, name: str, **settings: object) -> ServerOptions:
    return options_for(local(plane.url, TOKEN), profile=name, **settings)


def test_the_first_group_of_a_token_that_has_a_profile_decides() -> None:
    groups = {"sre": "ops", "ml": "readers"}
    settings = OAuthSettings("https://id.example", "https://mcp.example/mcp", groups, "roles")
    assert settings.profile_of({"roles": ["staff", "ml", "sre"]}) == "ops"
    assert settings.profile_of({"roles": "ml"}) == "readers"
    assert settings.profile_of({"roles": ["staff"], "groups": ["sre"]}) is None
    assert settings.profile_of({"roles": {"sre": True}}) is None


PROFILES = """
[readers]
read-only = true

[ops]
confirm = "plan"
max_replicas = 2
"""


async def test_a_file_of_profiles_and_keys_is_enough(start: Start, run: Run, tmp_path: Path, mode: Mode) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": "readers", "bob": "ops"})
    address = address_of(start_server(start, tmp_path, PROFILES))
    try:
        wish = {"endpoint_name": "new", "repository": "a/b", "hardware": CLOUD}
        async with signed_in(address, keys["alice"], mode) as alice, signed_in(address, keys["bob"], mode) as bob:
            await alice.refused("create_endpoint", "REFUSED", **wish)
            assert "at most 2 replica(s)" in await bob.refused("create_endpoint", "REFUSED", **wish, max_replica=3)
            assert (await bob.call("create_endpoint", **wish))["changed"] is True
            assert (await alice.call("list_endpoints"))["total"] == 1
    finally:
        run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


def start_server(start: Start, folder: Path, profiles: str) -> "subprocess.Popen[str]":
    (folder / "profiles.toml").write_text(profiles)
    flags = ["--local", "--simulated", "--data-dir", str(folder / "plane"), "--keys", str(folder / "keys")]
    return start("serve", "--http", "--port", "0", *flags, "--profiles", str(folder / "profiles.toml"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no profile"),
        ("[readers", "is not TOML"),
        ("read_only = true", "outside of a profile"),
        ("[readers]\nread_onyl = true", "In the profile readers, read_onyl"),
        ("[readers]\nport = 1", "In the profile readers, port"),
        ("[readers]\nmax_replicas = 0", "In the profile readers, max_replicas"),
        ("[readers]\ntools = ['nothing']", "nothing"),
        ('[readers]\ntoken_file = "a"\ntoken_variable = "B"', "more than one source"),
        ("[ops]", "the profile readers, which --profiles does not have"),
    ],
)
def test_what_is_wrong_with_a_file_of_profiles_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    write_keys(tmp_path / "keys", {"alice": "readers"})
    (tmp_path / "profiles.toml").write_text(text)
    flags = ["--keys", str(tmp_path / "keys"), "--profiles", str(tmp_path / "profiles.toml")]
    assert main(["serve", "--http", "--port", "0", "--local", "--data-dir", str(tmp_path), *flags]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert why in sentence


def test_profiles_need_callers_who_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--http", "--profiles", "profiles.toml"])
    assert "--profiles needs callers who sign in" in capsys.readouterr().err
