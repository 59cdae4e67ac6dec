"""Pure: what a model should be deployed with where its caller left that open, and why, in a sentence each.

The service's own suggestion goes first. Without one, the cheapest hardware that can be had and holds the model; the
engine its task is usually served by; and a part of the model for each accelerator, where the engine has to be told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.deploy.engines import PARALLEL_SETTINGS
from inference_endpoints.deploy.hardware import Offer, cheapest_first, comparable_offers
from inference_endpoints.errors import NoCapacity, NotFound
from inference_endpoints.models import CatalogueModel, ModelInfo, Suggestion
from inference_endpoints.models.hub import weight_bytes_by_name

GB = 1e9
_TASK = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
GENERATING = frozenset({"text-generation", "image-text-to-text"})
LARGEST_ON_CPU_GB = 1.0
"""Weights above it are too slow on processors to be put there unasked."""
VLLM = {"url": "vllm/vllm-openai:v0.23.0", "port": 8000, "healthRoute": "/health"}
"""As huggingface_hub 2.4.0 names it (November 2026)."""


@dataclass(frozen=True)
class Known:
    """What is known of a model before it is deployed; each may be missing."""

    repository: str
    suggestion: Suggestion | None = None
    item: CatalogueModel | None = None
    info: ModelInfo | None = None

    @property
    def task(self) -> str | None:
        told = (
            self.suggestion and self.suggestion.task,
            self.item and self.item.task,
            self.info and self.info.pipeline_tag,
        )
        # A model's page can say anything here.
        return next((task for task in told if task and _TASK.fullmatch(task)), None)

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
class Recommendation:
    """Hardware that can be had now and how to run the model on it. `why` is a sentence for each choice."""

    offer: Offer
    task: str | None
    framework: str | None
    image: dict[str, Any] | None
    why: tuple[str, ...]
    alternatives: tuple[Offer, ...]

    @property
    def config(self) -> dict[str, Any]:
        """What a create request says of the model, beside its repository."""
        model = {"task": self.task, "framework": self.framework, "image": self.image}
        return {"model": {key: value for key, value in model.items() if value is not None}}


def recommend(
    known: Known,
    available: Sequence[Offer],
    *,
    offer: Offer | None = None,
    task: str = "",
    framework: str = "",
    limit: int = 2,
) -> Recommendation:
    """Settle what was left open: `offer`, `task` and `framework` are what was not, and nothing is said of them.

    At most `limit` alternatives are given for the hardware. Raises `NotFound` if nothing is known to choose by,
    `NoCapacity` if nothing that fits can be had.
    """
    why: list[str] = []
    fitting: list[Offer] = []
    if offer is None:
        fitting, chosen = _hardware(known, available, task or known.task)
        offer = fitting[0]
        others = _others(offer, fitting)[:limit]
        why.append(f"Hardware: {offer.id}, {chosen}.{_instead(others)}")
    if not task and known.task:
        why.append(f"Task: {known.task}, the model's own.")
    image, engine_framework, said = (None, None, "") if framework else _engine(known, offer, task or known.task)
    return Recommendation(
        offer=offer,
        task=task or known.task,
        framework=framework or engine_framework,
        image=image,
        why=(*why, *([said] if said else [])),
        alternatives=_others(offer, fitting)[:limit],
    )


def needed_gb(weight_gb: float, task: str | None) -> float:
    """Memory to serve weights with: a fifth more for what is computed, and room for a conversation's cache."""
    return weight_gb * 1.2 + (2.0 if task in GENERATING else 0.5)


def _hardware(known: Known, available: Sequence[Offer], task: str | None) -> tuple[list[Offer], str]:
    """What fits and can be had, the best first, and why it is the best."""
    wanted = next((one for one in available if known.suggestion and one.id == known.suggestion.suggested_compute), None)
    if wanted is not None:
        fitting = _at_least(wanted, available)
        if wanted.available:
            return [wanted, *(one for one in fitting if one is not wanted)], "as suggested for this model"
        chosen = f"the cheapest to be had with as much memory as {wanted.id}, which is suggested but not to be had"
        return _some(fitting), chosen
    elsewhere = [one for one in available if not one.here and one.available and one.price is not None]
    weight = known.weight_gb
    if not elsewhere and any(one.here for one in available):
        raise NotFound("This machine is not known to run it.", hint="list_catalog_items lists what it can run.")
    if weight is not None:
        return _holding(elsewhere, weight, known, task)
    if known.item is not None and known.item.recipes:
        kinds = {recipe.accelerator for recipe in known.item.recipes}
        said = f"the cheapest {' or '.join(sorted(kinds))} to be had; whether the model fits was not checked"
        return _some(cheapest_first(one for one in elsewhere if one.instance.accelerator in kinds)), said
    gpus = cheapest_first(one for one in elsewhere if one.instance.accelerator == "gpu")
    return _some(gpus), "the cheapest GPU to be had; the model's size is not known, so look whether it fits"


def _holding(available: Sequence[Offer], weight: float, known: Known, task: str | None) -> tuple[list[Offer], str]:
    need = needed_gb(weight, task)
    fitting = cheapest_first(one for one in available if _holds(one, need, weight, task))
    if not fitting:
        raise NoCapacity(
            f"The model needs about {need:.0f} GB of accelerator memory, and nothing that can be had now has that.",
            hint=_largest(available),
        )
    source = "" if known.size_is_told else ", going by its name"
    said = f"the cheapest to be had that holds it ({weight:.3g} GB of weights{source}, about {need:.3g} GB to serve)"
    return fitting, said


def _holds(offer: Offer, need: float, weight: float, task: str | None) -> bool:
    instance = offer.instance
    if instance.accelerator == "gpu":
        return (instance.gpu_memory_gb or 0) >= need
    small = weight <= LARGEST_ON_CPU_GB and task is not None and task not in GENERATING
    return instance.accelerator == "cpu" and small and (instance.memory_gb or 0) >= need + 1


def _engine(known: Known, offer: Offer, task: str | None) -> tuple[dict[str, Any] | None, str | None, str]:
    """The image and framework to run it with, and what to say of them. Without an image the service takes its own."""
    accelerators = offer.accelerators
    suggestion = known.suggestion
    if suggestion is not None and suggestion.image is not None:
        engine, settings = suggestion.image.engine, dict(suggestion.image.settings)
        framework, said = suggestion.framework, f"Engine: {engine}, as suggested"
    elif task in GENERATING and offer.instance.accelerator == "gpu" and not offer.here:
        engine, settings, framework = "vLLM", dict(VLLM), "custom"
        said = "Engine: vLLM, which serves chat through the OpenAI API; framework=pytorch leaves it to the service"
    else:
        return None, suggestion.framework if suggestion else None, ""
    if engine in PARALLEL_SETTINGS and not (
        "dataParallelSize" in PARALLEL_SETTINGS[engine] and settings.get("dataParallelSize")
    ):
        settings.pop("tensorParallelSize", None)
        if accelerators > 1:
            settings["tensorParallelSize"] = accelerators
            said += f"; split over {accelerators} accelerators"
    return {engine: settings}, framework, f"{said}."


def _some(fitting: list[Offer]) -> list[Offer]:
    if not fitting:
        raise NoCapacity("No hardware that fits this model can be had.", hint="get_vendors says why for each.")
    return fitting


def _at_least(wanted: Offer, available: Sequence[Offer]) -> list[Offer]:
    """The offers that can replace one offer: comparable, with no less memory."""
    return [one for one in comparable_offers(available, wanted) if one.memory_gb >= wanted.memory_gb]


def _others(offer: Offer, fitting: Sequence[Offer]) -> tuple[Offer, ...]:
    """Other kinds of hardware, each where it is cheapest: quota is by kind, whatever the region."""
    kinds = {one.instance_kind: one for one in reversed(fitting)}
    return tuple(one for one in fitting if kinds[one.instance_kind] is one and one.instance_kind != offer.instance_kind)


def _instead(others: Sequence[Offer]) -> str:
    if not others:
        return ""
    return f" Or {others[0].id} ({others[0].memory_gb:g} GB, ${others[0].price or 0:g}/h)."


def _largest(available: Sequence[Offer]) -> str:
    there = [one for one in available if one.instance.gpu_memory_gb]
    if not there:
        return "No GPU can be had now; get_vendors with only_available=false says why."
    largest = max(there, key=lambda one: one.memory_gb)
    return f"The largest is {largest.id} with {largest.memory_gb:g} GB. Take a quantized version, or have quota raised."
