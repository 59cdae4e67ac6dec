"""Show how much hardware a namespace may use, and how much it uses."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from inference_endpoints.deploy.offers import QUOTAS_WITHOUT_PAYMENT_METHOD, lack_payment_method
from inference_endpoints.errors import ADD_PAYMENT_METHOD, BadRequest
from inference_endpoints.models import QuotaListing
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.answer_text import Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import Limit, NamespaceOrAll, Offset
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.namespace_queries import query_namespaces, refused_namespaces, refused_note
from inference_endpoints_mcp.tools.outputs import PagedOutput, RefusedNamespaces, take_page
from inference_endpoints_mcp.tools.spec import Toolset, tool


class QuotaRow(BaseModel):
    """Accelerators of one type in all sizes and regions; CPU cores where the type has no accelerator."""

    namespace: Name
    vendor: Word
    instance_type: Word
    architecture: Word
    used: int
    left: int
    most: int


class QuotasOutput(PagedOutput):
    quotas: list[QuotaRow] = Field(description="Most used first.")
    refused: RefusedNamespaces = None


@tool(uses=operations.QUOTAS, toolset=Toolset.ACCOUNT, title="Show quotas")
async def get_quotas(
    call: Call,
    namespace: NamespaceOrAll = "",
    vendor: Annotated[str, Field(max_length=32, description="E.g. aws.")] = "",
    limit: Limit = 20,
    offset: Offset = 0,
) -> QuotasOutput:
    """Show how many accelerators of each type a namespace may use, uses and has left."""
    queried = await query_namespaces(call, namespace, call.endpoints.quotas)
    every = [row for one, quotas in queried.results.items() for row in _rows(one, quotas)]
    vendors = sorted({row.vendor for row in every})
    if vendor and vendor not in vendors:
        raise BadRequest("There is no such vendor.", hint=f"Vendors: {clean_line(', '.join(vendors), 200)}.")
    found = [row for row in every if vendor in ("", row.vendor)]
    found.sort(key=lambda row: (-row.used, -row.left))
    page, following = take_page(found, offset, limit)
    used = sum(1 for row in found if row.used)
    full = sum(1 for row in found if not row.left)
    return QuotasOutput(
        quotas=page,
        total=len(found),
        next_offset=following,
        refused=refused_namespaces(queried.errors),
        now=f"{len(page)} of {len(found)} shown. {used} in use, {full} with nothing left."
        + _payment_note(queried.results)
        + refused_note(queried.errors),
    )


def _payment_note(quotas_by_namespace: Mapping[str, QuotaListing]) -> str:
    """A sentence for `now`; empty unless a namespace has no payment method."""
    lacking = [
        clean_line(namespace)
        for namespace, quotas in quotas_by_namespace.items()
        if lack_payment_method(quota for vendor, quota in quotas.each() if vendor != LOCAL)
    ]
    return f" {', '.join(lacking)}: {QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD}" if lacking else ""


def _rows(namespace: str, quotas: QuotaListing) -> list[QuotaRow]:
    return [
        QuotaRow(
            namespace=namespace,
            vendor=clean_line(vendor),
            instance_type=clean_line(quota.instance_type),
            architecture=clean_line(quota.architecture),
            used=quota.used_accelerators,
            left=quota.left,
            most=quota.max_accelerators,
        )
        for vendor, quota in quotas.each()
    ]
