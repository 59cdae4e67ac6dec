"""The walk of `doctor --live` as tests: one for each operation that only reads, of the service or of an embedded plane.

They need INFERENCE_ENDPOINTS_LIVE=1 and a token, and change nothing. With SERVICE_OPENAPI, a copy of the service's own
document, every field is compared; without it only what our models cannot do without.
"""

import asyncio
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.support.service.service_document import PATH, service_document

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import default_backend
from inference_endpoints.transport.operations import Operation
from inference_endpoints.transport.token import hugging_face_token
from inference_endpoints_mcp.live.report import Report
from inference_endpoints_mcp.live.walk import READING, OperationOutcome, Result, Walk

pytestmark = pytest.mark.skipif(
    os.environ.get("INFERENCE_ENDPOINTS_LIVE") != "1" or hugging_face_token() is None,
    reason="calls the service, only to read: set INFERENCE_ENDPOINTS_LIVE=1 and HF_TOKEN",
)


DOCUMENT = service_document() if PATH else None


async def _walk() -> list[OperationOutcome]:
    async with AsyncEndpointsClient(default_backend()) as client:
        return await Walk(client, await client.resolve_namespace(), DOCUMENT).run()


@cache
def walked() -> tuple[dict[str, OperationOutcome], Report]:
    """All operations are called once, in their order."""
    outcomes = asyncio.run(_walk())
    return {outcome.operation.name: outcome for outcome in outcomes}, Report(outcomes, DOCUMENT)


@pytest.mark.parametrize("operation", READING, ids=lambda operation: operation.name)
def test_an_operation_answers_as_documented(
    operation: Operation[Any], record_property: Callable[[str, object], None]
) -> None:
    outcomes, report = walked()
    outcome = outcomes[operation.name]
    remarks = report.remarks(outcome)
    record_property("remarks", remarks)
    if outcome.result in {Result.REFUSED, Result.NOT_TRIED}:
        pytest.skip(f"{outcome.result}: {' '.join(remarks)}")
    assert outcome.result is Result.AS_DOCUMENTED, remarks
