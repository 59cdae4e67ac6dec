"""What is known of the hardware that a request names, before it is sent and after it is refused."""

from inference_endpoints.deploy.hardware import alternatives, offers
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import Conflict, NotFound
from inference_endpoints.models import Vendors
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.tools.call_context import CallContext


def count_accelerators(hardware: str, vendors: Vendors) -> int:
    """Those of one replica; 1 where it is not listed."""
    offer = next((one for one in offers(vendors) if one.id == hardware), None)
    return offer.accelerators if offer else 1


async def local_run_warnings(call: CallContext, plan: Plan) -> list[str]:
    """What there is to say of a model this machine is not known to run. Files are looked at only when they are used."""
    repository = str(((plan.payload or {}).get("model") or {}).get("repository") or "")
    here = call.endpoints.backend.name == LOCAL and plan.cost.hardware.startswith(f"{LOCAL}-")
    if not here or not repository or repository.startswith(("/", "file:")) or repository.lower().endswith(".gguf"):
        return []
    try:
        suggested = (await call.endpoints.suggestion(repository)).suggested_compute or ""
    except NotFound:
        suggested = ""
    if suggested.startswith(f"{LOCAL}-"):
        return []
    elsewhere = " get_recommended_config names simulated hardware that would." if suggested else ""
    return [f"This machine is not known to run this model: list_catalog_items lists those it can.{elsewhere}"]


async def with_alternatives(
    call: CallContext, namespace: str, error: Conflict, hardware: str, *, only_there: bool = False
) -> Conflict:
    """The same error, with what could be had instead, or what of it is in the same place."""
    call.hardware.changed(namespace)
    available = offers(await call.hardware.vendors(namespace))
    wanted = next((offer for offer in available if offer.id == hardware), None)
    there = [offer for offer in available if wanted and (not only_there or offer.place == wanted.place)]
    others = [f"{offer.id} (${offer.price or 0:.2f}/h)" for offer in (alternatives(there, wanted) if wanted else [])]
    instead = f"Within quota and available: {', '.join(others)}." if others else "Nothing like it is available now."
    return type(error)(
        f"{hardware}: {error.message} Nothing was changed.", hint=instead, status=error.status, upstream=error.upstream
    )
