"""An endpoint to change, and a service with priced hardware to deploy on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import CAN_SLEEP, TOKEN, Driver
from tests.support.service.priced_cloud import script_cloud
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints.transport.backend import HUGGING_FACE, Backend, local
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.server.application import ServerOptions


@pytest.fixture
async def running(driver: Driver, anyio_backend: str) -> dict[str, Any]:
    """A running endpoint `chat`, as the plane shows it."""
    await driver.create(compute=CAN_SLEEP, model={"env": {"A": "1", "B": "2"}}, tags=["team-a"])
    await driver.advance(200)
    return await driver.get("chat")


@pytest.fixture
async def cloud(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    """A host of a server on a service with three kinds of hardware, which knows one model and suggests nothing.

    Its operator lends HF_TOKEN.
    """
    script_cloud(upstream)

    async def open_backend(_: AsyncExitStack) -> Backend:
        return replace(local(upstream.url, TOKEN), name=HUGGING_FACE)

    async with serving(
        ServerOptions(
            open_backend=open_backend,
            namespace="acme",
            approval=ApprovalPolicy(method=ApprovalMethod.OFF),
            lent=LentSecrets({"HF_TOKEN": "hf_lent_to_endpoints"}),
        )
    ) as host:
        yield host
