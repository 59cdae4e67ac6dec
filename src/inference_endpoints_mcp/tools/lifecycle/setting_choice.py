"""Chooses the settings a caller does not give, and the alternatives to hardware that is not available."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.deploy.offers import (
    Offer,
    choose_default_hardware,
    count_accelerators,
    find_alternatives,
    find_offer,
    is_this_machine,
    list_offers,
    own_place,
    require_offer,
)
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.deploy.sizing.model_check import ModelCheck, check_model
from inference_endpoints.deploy.sizing.recommend import recommend
from inference_endpoints.deploy.specs import Hardware
from inference_endpoints.errors import Conflict, NotFound, QuotaExceeded
from inference_endpoints.models import CreateRequest, Endpoint, HardwareListing, UpdateRequest
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.catalog.known_models import ModelLookup, gather_known


@dataclass(frozen=True)
class SettingArguments:
    """Settings from the caller; empty where not given. `own_engine`: `config` has its own image or framework."""

    repository: str
    hardware: str = ""
    task: str = ""
    framework: str = ""
    own_engine: bool = False

    @property
    def engine(self) -> str:
        """Empty where it is to be chosen."""
        return self.framework or ("custom" if self.own_engine else "")

    @property
    def is_complete(self) -> bool:
        """Whether nothing is to be chosen by what is known of the model."""
        return bool(self.hardware and self.task and self.engine) or local_path(self.repository)


@dataclass(frozen=True)
class ChosenSettings:
    """The settings to create with. `why` has a sentence for each choice; the service chooses where one is None."""

    hardware: Hardware
    accelerators: int
    task: str | None = None
    framework: str | None = None
    image: dict[str, Any] | None = None
    args: list[str] | None = None
    why: list[str] = field(default_factory=list)


async def choose_settings(
    given: SettingArguments, model: ModelLookup, current: Endpoint | None, listing: HardwareListing
) -> ChosenSettings:
    """Choose the settings that are not given. An existing endpoint keeps its own, even where they are sold out.

    Raises `BadRequest` for unknown hardware, `NoCapacity` where no hardware that fits is available.
    """
    if current and given.hardware in {"", current.hardware_id}:
        return _settings_of(current, given, listing)
    available = list_offers(listing)
    offer = require_offer(available, given.hardware) if given.hardware else None
    if offer is None and any(one.is_this_machine for one in available):
        offer = await _this_machine(available, model)
    if offer is not None and offer.is_this_machine:
        why = [] if given.hardware else [f"Hardware: {offer.id}, {own_place(offer.id)}."]
        return ChosenSettings(offer.hardware, 1, given.task or None, given.framework or None, why=why)
    known = KnownModel(given.repository) if given.is_complete else await model.known()
    found = recommend(known, available, offer=offer, task=given.task, framework=given.engine)
    return ChosenSettings(
        hardware=found.offer.hardware,
        accelerators=found.offer.accelerators,
        task=found.task,
        framework=given.framework or (None if given.own_engine else found.framework),
        image=found.image,
        args=found.args or None,
        why=[*found.why],
    )


async def _this_machine(available: Sequence[Offer], model: ModelLookup) -> Offer | None:
    """This machine, unless the model is known to need hardware that this backend simulates."""
    if not local_path(model.repository):
        known = await model.known()
        suggested = (known.suggestion and known.suggestion.suggested_compute) or ""
        elsewhere = suggested or known.weights_gb is not None or known.item is not None
        if elsewhere and not is_this_machine(suggested) and not all(one.is_this_machine for one in available):
            return None
    return choose_default_hardware(available)


def local_path(repository: str) -> bool:
    """Whether this names a model file of this machine."""
    return repository.startswith(("/", "file:")) or repository.lower().endswith(".gguf")


async def with_model_path(call: CallContext, model: ModelLookup, request: CreateRequest) -> CreateRequest:
    """The request with the GGUF file for its llama.cpp image, where it names none and only one is known."""
    settings = ((request.model and request.model.image) or {}).get("llamacpp")
    if settings is None or settings.get("modelPath"):
        return request
    repository = request.repository or ""
    known = await (model.known() if repository == model.repository else gather_known(call, repository))
    if known.gguf_file is None:
        return request
    return request.merged({"model": {"image": {"llamacpp": settings | {"modelPath": known.gguf_file}}}})


async def check_planned_model(
    call: CallContext, namespace: str, request: UpdateRequest, current: Endpoint | None = None
) -> ModelCheck:
    """Check the model of an endpoint as it is requested, against the Hub and the hardware. Nothing here refuses it."""
    after = request.applied_to(current)
    if call.endpoints.backend.name == LOCAL and is_this_machine(after.hardware_id):
        return ModelCheck()
    known = KnownModel(after.model.repository, hub=await call.hub.read(after.model.repository, after.model.revision))
    offers = list_offers(await call.hardware_cache.listing(namespace))
    secrets = {*after.model.secrets, *request.secret_names}
    return check_model(known, after, offers, secrets, namespace)


def names_engine(config: dict[str, Any]) -> bool:
    """Whether the nested settings name what runs the model."""
    model = config.get("model")
    return isinstance(model, dict) and bool({"image", "framework"} & model.keys())


async def local_run_warnings(call: CallContext, plan: Plan) -> list[str]:
    """Warns of a model that is not in the list for this machine. Model files are not checked before they are loaded."""
    repository = (plan.request and plan.request.repository) or ""
    here = call.endpoints.backend.name == LOCAL and is_this_machine(plan.cost.hardware_id)
    if not here or not repository or local_path(repository):
        return []
    try:
        suggested = (await call.endpoints.suggestion(repository)).suggested_compute or ""
    except NotFound:
        suggested = ""
    if is_this_machine(suggested):
        return []
    elsewhere = " get_recommended_config names simulated hardware for it." if suggested else ""
    place = own_place(plan.cost.hardware_id)
    return [f"This model is not in the list of models that {place} can run: see list_catalog_items.{elsewhere}"]


async def with_alternatives(
    call: CallContext, namespace: str, error: Conflict, hardware_id: str, *, same_region: bool = False
) -> Conflict:
    """The same error, with available alternatives in its hint; `same_region`: only those in the same region."""
    call.hardware_cache.record_change(namespace)
    available = list_offers(await call.hardware_cache.listing(namespace))
    wanted = find_offer(available, hardware_id)
    others = find_alternatives(available, wanted, same_region=same_region) if wanted else []
    listed = ", ".join(f"{offer.id} (${offer.price or 0:.2f}/h)" for offer in others)
    instead = f"Available within quota: {listed}." if others else "No similar hardware is available now."
    if isinstance(error, QuotaExceeded) and wanted:
        instead = f"{_who_has_the_quota(wanted)} {instead}".strip()
    return type(error)(
        f"{hardware_id}: {error.message} Nothing was changed.",
        hint=instead,
        status=error.status,
        upstream=error.upstream,
    )


def _who_has_the_quota(offer: Offer) -> str:
    """How much of the quota is left, and which endpoints have the rest; empty where that is not known."""
    quota = offer.instance.quota
    if quota is None:
        return ""
    same = f"{offer.hardware.vendor}-*-{offer.hardware.instance_type}-*"
    return (
        f"{quota.left} of {quota.max_accelerators} are left. list_endpoints with where='hardware={same}' and "
        "sort='idle' shows what has the others; pausing gives them back."
    )


def _settings_of(endpoint: Endpoint, given: SettingArguments, listing: HardwareListing) -> ChosenSettings:
    provider, compute, model = endpoint.provider, endpoint.compute, endpoint.model
    hardware = Hardware(
        vendor=provider.vendor,
        region=provider.region,
        accelerator=compute.accelerator,
        instance_type=compute.instance_type,
        instance_size=compute.instance_size,
    )
    own = given.framework or given.own_engine
    image = None if own or model.image is None else model.image.root
    framework = given.framework or (None if given.own_engine else model.framework)
    accelerators = count_accelerators(endpoint.hardware_id, listing)
    args = None if own else model.args or None
    return ChosenSettings(hardware, accelerators, given.task or None, framework, image, args)
