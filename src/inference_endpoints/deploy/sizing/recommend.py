"""Pure: chooses hardware, task and engine for a model where the caller gives none, with a reason for each choice.

The service's own suggestion comes first. Without one: the cheapest available hardware that holds the model, and the
engine that usually serves its task, sharded over all accelerators, with the longest context that fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.deploy.offers import (
    MAX_ALTERNATIVES,
    Offer,
    cheapest_first,
    check_payment_method,
    comparable_offers,
    find_offer,
    own_place,
)
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.deploy.sizing.memory_check import context_arguments
from inference_endpoints.engines.engine_memory import GENERATING
from inference_endpoints.engines.memory import ModelMemory
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.errors import NoCapacity, NotFound
from inference_endpoints.models import PARALLELISM_SETTINGS, Image, ModelSettings

LARGEST_ON_CPU_GB = 1.0
"""Models with larger weights are too slow on a CPU: they are not deployed there by default."""
VLLM = {"url": "vllm/vllm-openai:v0.23.0", "port": 8000, "healthRoute": "/health"}
"""As huggingface_hub 2.4.0 names it (November 2026)."""


@dataclass(frozen=True)
class Recommendation:
    """Hardware that is available now, and how to run the model on it. `why` is a sentence for each choice."""

    offer: Offer
    task: str | None
    framework: str | None
    image: dict[str, Any] | None
    args: list[str]
    why: tuple[str, ...]
    alternatives: tuple[Offer, ...]

    @property
    def config(self) -> dict[str, Any]:
        """The `config` for a create request: settings of the model except its repository."""
        model = {"task": self.task, "framework": self.framework, "image": self.image, "args": self.args or None}
        return {"model": {key: value for key, value in model.items() if value is not None}}


def recommend(
    known: KnownModel,
    available: Sequence[Offer],
    *,
    offer: Offer | None = None,
    task: str = "",
    framework: str = "",
) -> Recommendation:
    """Choose what is not given. A given `offer`, `task` or `framework` stays, without a reason.

    Raises `NotFound` if too little is known to choose, `NoCapacity` if no hardware that fits is available,
    `PaymentRequired` if that is so because the namespace has no payment method.
    """
    why: list[str] = []
    alternatives: tuple[Offer, ...] = ()
    if offer is None:
        fitting, chosen = _choose_hardware(known, available, task or known.task)
        offer = fitting[0]
        alternatives = _other_instance_kinds(offer, fitting)[:MAX_ALTERNATIVES]
        why.append(f"Hardware: {offer.id}, {chosen}.{_mention_alternative(alternatives)}")
    if not task and known.task:
        why.append(f"Task: {known.task}, the task of the model.")
    image, engine_framework, reason = (
        (None, None, "") if framework else _choose_engine(known, offer, task or known.task)
    )
    args, context = _choose_context(known, offer, task or known.task, image) if image else ([], "")
    return Recommendation(
        offer=offer,
        task=task or known.task,
        framework=framework or engine_framework,
        image=image,
        args=args,
        why=(*why, *(each for each in (reason, context) if each)),
        alternatives=alternatives,
    )


def _choose_hardware(known: KnownModel, available: Sequence[Offer], task: str | None) -> tuple[list[Offer], str]:
    """The available offers that fit, the best first, and why it is the best."""
    suggested = known.suggestion.suggested_compute if known.suggestion else None
    wanted = find_offer(available, suggested) if suggested else None
    fitting = _offers_with_enough_memory(wanted, available) if wanted is not None else []
    if wanted is not None and wanted.available:
        return [wanted, *(one for one in fitting if one is not wanted)], "as suggested for this model"
    check_payment_method(available)
    if wanted is not None:
        chosen = f"the cheapest available with as much memory as {wanted.id}, which is suggested but not available"
        return _require_offers(fitting), chosen
    cloud_offers = [one for one in available if not one.is_this_machine and one.available and one.price is not None]
    weight = known.weights_gb
    own = [one for one in available if one.is_this_machine]
    if not cloud_offers and own:
        raise NotFound(
            f"This model is not in the list of models that {own_place(own[0].id)} can run.",
            hint="list_catalog_items lists the models it runs.",
        )
    if weight is not None:
        return _choose_by_memory(cloud_offers, known, task)
    if known.item is not None and known.item.recipes:
        kinds = {recipe.accelerator for recipe in known.item.recipes}
        reason = f"the cheapest available {' or '.join(sorted(kinds))}; whether the model fits is not checked"
        return _require_offers(cheapest_first(one for one in cloud_offers if one.instance.accelerator in kinds)), reason
    gpus = cheapest_first(one for one in cloud_offers if one.instance.accelerator == "gpu")
    return _require_offers(gpus), "the cheapest available GPU; the model's size is unknown, so check whether it fits"


def _choose_by_memory(available: Sequence[Offer], known: KnownModel, task: str | None) -> tuple[list[Offer], str]:
    fitting = cheapest_first(one for one in available if holds(one, known, task))
    if not fitting:
        largest = max(available, key=lambda one: one.instance.gpu_memory_gb or 0, default=None)
        memory = known.memory(_settings(task), largest.accelerators if largest else 1)
        need = memory.to_choose_gb if isinstance(memory, ModelMemory) else 0.0
        raise NoCapacity(
            f"The model needs about {need:.0f} GB of accelerator memory. No available hardware has that much.",
            hint=_describe_largest(available),
        )
    memory = known.memory(_settings(task), fitting[0].accelerators)
    assert isinstance(memory, ModelMemory)
    source = "" if known.size_from_hub else "; the size is estimated from its name"
    return fitting, f"the cheapest available that holds it: it needs {memory.need()}{source}"


def holds(offer: Offer, known: KnownModel, task: str | None) -> bool:
    """Whether hardware holds a model that a new engine serves with its usual context; on a CPU only a small one."""
    instance, memory = offer.instance, known.memory(_settings(task), offer.accelerators)
    if isinstance(memory, NotComputable):
        return False
    if instance.accelerator == "gpu":
        return (instance.gpu_memory_gb or 0) >= memory.to_choose_gb
    small = memory.weights_gb <= LARGEST_ON_CPU_GB and task is not None and task not in GENERATING
    return instance.accelerator == "cpu" and small and (instance.memory_gb or 0) >= memory.to_choose_gb


def _settings(task: str | None, image: dict[str, Any] | None = None) -> ModelSettings:
    """A model with this task, which a new engine serves on all accelerators."""
    return ModelSettings(task=task, image=Image(image) if image else None)


def _choose_context(known: KnownModel, offer: Offer, task: str | None, image: dict[str, Any]) -> tuple[list[str], str]:
    """The arguments for the longest context that fits, and the reason."""
    settings = _settings(task, image)
    memory = known.memory(settings, offer.accelerators)
    if isinstance(memory, NotComputable) or not (args := context_arguments(memory, settings, offer.memory_gb)):
        return [], ""
    whole = memory.need(memory.max_context)
    reason = (
        f"Context: {int(args[-1]):,} tokens, the most that fits; all {whole.context:,} need {whole.total_gb:.3g} GB."
    )
    return args, reason


def _choose_engine(known: KnownModel, offer: Offer, task: str | None) -> tuple[dict[str, Any] | None, str | None, str]:
    """The image and framework, and the reason. Without an image the service uses its default."""
    accelerators = offer.accelerators
    suggestion = known.suggestion
    if suggestion is not None and suggestion.image is not None:
        engine, settings = suggestion.image.engine, dict(suggestion.image.settings)
        framework, reason = suggestion.framework, f"Engine: {engine}, as suggested"
    elif task in GENERATING and offer.instance.accelerator == "gpu" and not offer.is_this_machine:
        engine, settings, framework = "vLLM", dict(VLLM), "custom"
        reason = "Engine: vLLM, which serves chat through the OpenAI API; framework=pytorch lets the service choose"
    else:
        return None, suggestion.framework if suggestion else None, ""
    if engine in PARALLELISM_SETTINGS and not (
        "dataParallelSize" in PARALLELISM_SETTINGS[engine] and settings.get("dataParallelSize")
    ):
        settings.pop("tensorParallelSize", None)
        if accelerators > 1:
            settings["tensorParallelSize"] = accelerators
            reason += f"; sharded over {accelerators} accelerators"
    if engine == "llamacpp" and known.gguf_file:
        settings.setdefault("modelPath", known.gguf_file)
    return {engine: settings}, framework, f"{reason}."


def _require_offers(fitting: list[Offer]) -> list[Offer]:
    if not fitting:
        raise NoCapacity("No hardware that fits this model is available.", hint="get_vendors shows why.")
    return fitting


def _offers_with_enough_memory(wanted: Offer, available: Sequence[Offer]) -> list[Offer]:
    """The offers that can replace one offer: comparable, with no less memory."""
    return [one for one in comparable_offers(available, wanted) if one.memory_gb >= wanted.memory_gb]


def _other_instance_kinds(offer: Offer, fitting: Sequence[Offer]) -> tuple[Offer, ...]:
    """Other instance kinds, each in its cheapest region: quota counts by kind, in all regions."""
    kinds = {one.instance_kind: one for one in reversed(fitting)}
    return tuple(one for one in fitting if kinds[one.instance_kind] is one and one.instance_kind != offer.instance_kind)


def _mention_alternative(others: Sequence[Offer]) -> str:
    if not others:
        return ""
    return f" Or {others[0].id} ({others[0].memory_gb:g} GB, ${others[0].price or 0:g}/h)."


def _describe_largest(available: Sequence[Offer]) -> str:
    there = [one for one in available if one.instance.gpu_memory_gb]
    if not there:
        return "No GPU is available now; get_vendors with only_available=false shows why."
    largest = max(there, key=lambda one: one.memory_gb)
    return f"The largest is {largest.id} with {largest.memory_gb:g} GB. Use a quantized version, or request more quota."
