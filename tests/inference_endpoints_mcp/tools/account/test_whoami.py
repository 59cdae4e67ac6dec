"""Showing whose token the server uses."""

import pytest
from tests.support.host import Host

pytestmark = pytest.mark.anyio


async def test_whoami_names_the_namespace_and_the_backend(host: Host) -> None:
    facts = await host.call("whoami")
    assert (facts["name"], facts["default_namespace"], facts["backend"]) == ("acme", "acme", "local")
    assert facts["namespaces"] == ["acme"]
