"""Pure: which configuration a model should be deployed with, of what is known about it and what can be had now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.errors import NoCapacity, NotFound
from inference_endpoints.hardware import Offer
from inference_endpoints.models import CatalogueModel, Suggestion

_SPLIT = frozenset({"vLLM", "sGLang"})
"""Engines that load one accelerator of several, unless they are told to split the model."""


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
    suggestion: Suggestion | None, item: CatalogueModel | None, available: Sequence[Offer], limit: int = 2
) -> Recommendation:
    """A configuration, with at most `limit` alternatives for its hardware.

    Raises `NotFound` if nothing is known about the model, `NoCapacity` if nothing fitting can be had.
    """
    wanted = next((one for one in available if suggestion and one.id == suggestion.suggested_compute), None)
    if wanted is not None:
        fitting = _at_least(wanted, available)
        chosen = "as suggested for this model"
        if not wanted.available:
            chosen = f"the cheapest to be had with as much memory as {wanted.id}, which is suggested but not to be had"
    elif item is not None and item.recipes:
        kinds = {recipe.accelerator for recipe in item.recipes}
        fitting = _cheapest_first(one for one in available if one.available and one.instance.accelerator in kinds)
        chosen = f"the cheapest {' or '.join(sorted(kinds))} to be had; whether the model fits was not checked"
    else:
        raise NotFound("Nothing is known about this model.", hint="get_vendors lists hardware to choose from.")
    if not fitting:
        raise NoCapacity("No hardware that fits this model can be had.", hint="get_vendors says why for each.")
    offer = wanted if wanted is not None and wanted.available else fitting[0]
    image, split = _image(suggestion, offer)
    task = (suggestion and suggestion.task) or (item and item.task) or None
    engine = next(iter(image), None) if image else None
    why = [f"Hardware: {offer.id}, {chosen}."]
    why += [f"Engine: {engine}{f', split over {split} accelerators' if split else ''}."] if engine else []
    why += [f"Task: {task}, the model's own."] if task else []
    return Recommendation(
        offer=offer,
        task=task,
        framework=suggestion.framework if suggestion else None,
        image=image,
        why=tuple(why),
        alternatives=_others(offer, fitting)[:limit],
    )


def _at_least(wanted: Offer, available: Sequence[Offer]) -> list[Offer]:
    """What can be had in place of one offer: of its kind, with no less memory."""
    kind, memory = (wanted.here, wanted.instance.accelerator), _memory(wanted)
    return _cheapest_first(
        one
        for one in available
        if one.available and (one.here, one.instance.accelerator) == kind and _memory(one) >= memory
    )


def _others(offer: Offer, fitting: Sequence[Offer]) -> tuple[Offer, ...]:
    """Other kinds of hardware, each where it is cheapest: quota is by kind, whatever the region."""
    kinds = {_kind(one): one for one in reversed(fitting)}
    return tuple(one for one in fitting if kinds[_kind(one)] is one and _kind(one) != _kind(offer))


def _kind(offer: Offer) -> tuple[str, str]:
    return offer.hardware.instance_type, offer.hardware.instance_size


def _cheapest_first(found: Iterable[Offer]) -> list[Offer]:
    return sorted(found, key=lambda one: (one.price if one.price is not None else float("inf"), one.id))


def _memory(offer: Offer) -> float:
    return offer.instance.gpu_memory_gb or offer.instance.memory_gb or 0.0


def _image(suggestion: Suggestion | None, offer: Offer) -> tuple[dict[str, Any] | None, int]:
    """The image, split over the accelerators of the hardware where the engine needs to be told; and over how many."""
    if suggestion is None or suggestion.image is None:
        return None, 0
    engine, settings = suggestion.image.engine, suggestion.image.settings
    accelerators = offer.instance.num_accelerators if offer.instance.accelerator == "gpu" else 1
    if engine not in _SPLIT or accelerators <= 1:
        return {engine: {key: value for key, value in settings.items() if key != "tensorParallelSize"}}, 0
    if settings.get("dataParallelSize"):
        return {engine: settings}, 0
    return {engine: {**settings, "tensorParallelSize": accelerators}}, accelerators
