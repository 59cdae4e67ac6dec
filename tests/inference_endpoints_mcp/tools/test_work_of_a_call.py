"""What a call does once more than it has to."""

import gc

import pytest
from mcp.server.elicitation import AcceptedElicitation
from tests.support.hosts.host import Host

pytestmark = pytest.mark.anyio


async def test_no_call_builds_a_class_that_the_last_one_had(host: Host) -> None:
    await host.call("list_endpoints")
    gc.collect()
    built = {id(each) for each in AcceptedElicitation.__subclasses__()}
    await host.call("list_endpoints")
    assert {id(each) for each in AcceptedElicitation.__subclasses__()} <= built
