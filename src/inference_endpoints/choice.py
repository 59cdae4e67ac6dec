"""Pure: what an endpoint should be created with where its caller left it open, and why, in a line each.

The cheapest hardware that can be had and holds the model; the engine its task is usually served by; and parallelism
where the hardware has several accelerators, without which the service refuses it or leaves all but one idle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.errors import NoCapacity
from inference_endpoints.hardware import Offer, choose
from inference_endpoints.models import CatalogueModel
from inference_endpoints.models.hub import ModelInfo, weight_bytes_by_name

GB = 1e9
GENERATING = frozenset({"text-generation", "image-text-to-text"})
LARGEST_ON_CPU_GB = 1.0
"""Weights above it are too slow on processors to be chosen for them unasked."""
VLLM = {"url": "vllm/vllm-openai:v0.23.0", "port": 8000, "healthRoute": "/health"}
"""As huggingface_hub 2.4.0 names it (November 2026)."""
PARALLEL = {"vLLM": "tensorParallelSize", "sGLang": "tensorParallelSize"}
"""Engines that have to be told how many accelerators there are. TGI finds out by itself."""


@dataclass(frozen=True)
class Known:
    """What is known of a model before it is deployed; each may be missing."""

    repository: str
    info: ModelInfo | None = None
    item: CatalogueModel | None = None

    @property
    def task(self) -> str | None:
        return (self.item and self.item.task) or (self.info and self.info.pipeline_tag) or None

    @property
    def weight_gb(self) -> float | None:
        told = self.info.weight_bytes if self.info else None
        size = told or weight_bytes_by_name(self.repository)
        return size / GB if size else None

    @property
    def size_is_told(self) -> bool:
        """Whether the Hub told the size, rather than the model's name."""
        return bool(self.info and self.info.weight_bytes)


@dataclass(frozen=True)
class Choice:
    """One setting that was left open, what was taken, and why."""

    setting: str
    taken: str
    why: str


@dataclass
class Chosen:
    """What to create an endpoint with. `image` None leaves the container to the service."""

    offer: Offer
    task: str | None = None
    framework: str | None = None
    image: dict[str, dict[str, Any]] | None = None
    choices: list[Choice] = field(default_factory=list)


def choose_settings(
    known: Known, available: Sequence[Offer], *, offer: Offer | None = None, task: str = "", framework: str = ""
) -> Chosen:
    """Settle what was left open. `offer`, `task` and `framework` are what the caller named.

    Raises `NoCapacity` where no hardware that can be had holds the model.
    """
    chosen = Chosen(offer or choose(available), task or None, framework or None)
    if chosen.offer.here:
        # A local backend knows its few models itself.
        if offer is None:
            chosen.choices.append(Choice("hardware", chosen.offer.id, "the backend is this machine"))
        return chosen
    if not task and known.task:
        chosen.task = known.task
        chosen.choices.append(Choice("task", known.task, "it is the model's own"))
    if offer is None:
        _take_hardware(chosen, known, available)
    if not framework:
        _take_engine(chosen)
    return chosen


def needed_gb(weight_gb: float, task: str | None) -> float:
    """Memory to serve weights with: a fifth more for what is computed, and room for a conversation's cache."""
    return weight_gb * 1.2 + (2.0 if task in GENERATING else 0.5)


def parallelism_missing(engine: str, settings: dict[str, Any], accelerators: int) -> str | None:
    """The setting an engine lacks to use all accelerators of a replica; None if it lacks none."""
    setting = PARALLEL.get(engine)
    told = {setting, "dataParallelSize"} & settings.keys()
    return setting if setting and accelerators > 1 and not told else None


def _take_hardware(chosen: Chosen, known: Known, available: Sequence[Offer]) -> None:
    weight = known.weight_gb
    if weight is None:
        instead = _dearer(available, chosen.offer)
        why = "the cheapest GPU that can be had; the model's size is not known, so look whether it fits"
        chosen.choices.append(Choice("hardware", chosen.offer.id, why + instead))
        return
    need = needed_gb(weight, chosen.task)
    fitting = [
        offer for offer in available if offer.available and offer.price and _holds(offer, need, weight, chosen.task)
    ]
    if not fitting:
        raise NoCapacity(
            f"The model needs about {need:.0f} GB of accelerator memory, and nothing that can be had now has that.",
            hint=_largest(available),
        )
    chosen.offer = min(fitting, key=_by_price)
    source = "" if known.size_is_told else ", going by its name"
    why = f"the cheapest that can be had and holds it: {weight:.3g} GB of weights{source}, about {need:.3g} GB to serve"
    chosen.choices.append(Choice("hardware", chosen.offer.id, why + _dearer(fitting, chosen.offer)))


def _holds(offer: Offer, need: float, weight: float, task: str | None) -> bool:
    instance = offer.instance
    if instance.accelerator == "gpu":
        return (instance.gpu_memory_gb or 0) >= need
    small = weight <= LARGEST_ON_CPU_GB and task not in GENERATING and task is not None
    return instance.accelerator == "cpu" and small and (instance.memory_gb or 0) >= need + 1


def _take_engine(chosen: Chosen) -> None:
    accelerators = chosen.offer.instance.num_accelerators
    if chosen.task not in GENERATING or chosen.offer.instance.accelerator != "gpu":
        return
    settings = dict(VLLM)
    chosen.framework = "custom"
    why = "it serves chat through the OpenAI API; framework=pytorch leaves the container to the service"
    chosen.choices.append(Choice("engine", "vLLM", why))
    setting = parallelism_missing("vLLM", settings, accelerators)
    if setting:
        settings[setting] = accelerators
        chosen.choices.append(Choice(setting, str(accelerators), "one part of the model on each accelerator"))
    chosen.image = {"vLLM": settings}


def _by_price(offer: Offer) -> tuple[float, int, str]:
    return offer.price or 0.0, offer.instance.num_accelerators, offer.id


def _dearer(fitting: Sequence[Offer], taken: Offer) -> str:
    """The next price class up, as an alternative."""
    others = [
        offer
        for offer in fitting
        if offer.available
        and offer.price
        and offer.instance.accelerator == taken.instance.accelerator
        and offer.price > (taken.price or 0)
    ]
    if not others:
        return ""
    other = min(others, key=_by_price)
    memory = other.instance.gpu_memory_gb or other.instance.memory_gb or 0
    return f". Next: {other.id} ({memory:g} GB, ${other.price:g}/h)"


def _largest(available: Sequence[Offer]) -> str:
    there = [offer for offer in available if offer.available and offer.instance.gpu_memory_gb]
    if not there:
        return "No GPU can be had now; get_vendors with only_available=false says why."
    largest = max(there, key=lambda offer: offer.instance.gpu_memory_gb or 0)
    return (
        f"The largest is {largest.id} with {largest.instance.gpu_memory_gb:g} GB. Take a quantized version, or have "
        "the quota raised."
    )
