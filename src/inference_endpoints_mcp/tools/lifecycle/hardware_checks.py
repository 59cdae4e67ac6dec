"""Checks of the hardware in a request: before it is sent, and after the service refuses it."""

from inference_endpoints.deploy.hardware import find_alternatives, find_offer, offers
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import Conflict, NotFound
from inference_endpoints.models import Vendors
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.tools.call_context import CallContext


def count_accelerators(hardware: str, vendors: Vendors) -> int:
    """Accelerators of one replica; 1 where the hardware is not listed."""
    offer = find_offer(offers(vendors), hardware)
    return offer.accelerators if offer else 1


async def local_run_warnings(call: CallContext, plan: Plan) -> list[str]:
    """Warns of a model that is not in the list for this machine. Model files are not checked before they are loaded."""
    repository = (plan.request and plan.request.repository) or ""
    here = call.endpoints.backend.name == LOCAL and plan.cost.hardware.startswith(f"{LOCAL}-")
    if not here or not repository or repository.startswith(("/", "file:")) or repository.lower().endswith(".gguf"):
        return []
    try:
        suggested = (await call.endpoints.suggestion(repository)).suggested_compute or ""
    except NotFound:
        suggested = ""
    if suggested.startswith(f"{LOCAL}-"):
        return []
    elsewhere = " get_recommended_config names simulated hardware for it." if suggested else ""
    return [f"This model is not in the list of models that this machine can run: see list_catalog_items.{elsewhere}"]


async def with_alternatives(
    call: CallContext, namespace: str, error: Conflict, hardware: str, *, same_region: bool = False
) -> Conflict:
    """The same error, with available alternatives in its hint; `same_region`: only those in the same region."""
    call.hardware.record_change(namespace)
    available = offers(await call.hardware.vendors(namespace))
    wanted = find_offer(available, hardware)
    others = find_alternatives(available, wanted, same_region=same_region) if wanted else []
    listed = ", ".join(f"{offer.id} (${offer.price or 0:.2f}/h)" for offer in others)
    instead = f"Available within quota: {listed}." if others else "No similar hardware is available now."
    return type(error)(
        f"{hardware}: {error.message} Nothing was changed.", hint=instead, status=error.status, upstream=error.upstream
    )
