"""An account without a payment method: every answer that depends on it names it."""

from contextlib import AsyncExitStack

import pytest
from tests.support.hosts.host import serving
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf, cloud

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

REASON = "Your quota reads 0 because no payment method is set for Inference Endpoints."
APPROVED = ApprovalPolicy(method=ApprovalMethod.OFF)


def options_for(driver: Driver) -> ServerOptions:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(driver.plane.url, TOKEN)

    return ServerOptions(open_backend=open_backend, approval=APPROVED)


async def test_every_tool_that_meets_it_names_the_missing_payment_method(plane_of: PlaneOf) -> None:
    async with plane_of(payment_method=False) as driver, serving(options_for(driver)) as host:
        facts = await host.call("whoami")
        assert facts["can_pay"] is False
        assert "It has no payment method" in facts["now"]

        quotas = await host.call("get_quotas", limit=100)
        assert f"acme: {REASON}" in quotas["now"]
        assert {row["vendor"] for row in quotas["quotas"] if row["most"]} == {"local"}

        hardware = await host.call("get_vendors")
        assert REASON in hardware["now"]
        assert {row["backend"] for row in hardware["hardware"]} == {"local"}

        refusal = await host.refused("get_recommended_config", "PAYMENT_REQUIRED", repository="Qwen/Qwen2.5-7B")
        assert REASON in refusal

        named = {"endpoint_name": "chat", "repository": "gpt2", "hardware": "aws-us-east-1-intel-spr-x1"}
        plan = await host.call("create_endpoint", **named, dry_run=True)
        assert any(REASON in warning for warning in plan["plan"]["warnings"])
        refusal = await host.refused("create_endpoint", "PAYMENT_REQUIRED", **named)
        assert "no payment method" in refusal
        assert "Until then quotas read 0." in refusal


async def test_the_plane_refuses_it_in_the_words_of_the_service(plane_of: PlaneOf) -> None:
    async with plane_of(payment_method=False) as driver:
        refused = await driver.call("POST", "/v2/endpoint/acme", cloud("chat"))
        assert refused.status == 403
        assert refused.body == {"error": "Forbidden: Payment method required for namespace: acme", "code": "FORBIDDEN"}
        assert (await driver.create_local("tiny")).status == 200
