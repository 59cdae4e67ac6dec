"""Pure: whether a model fits on hardware with its engine set as requested, and what would make it fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference_endpoints.deploy.offers import Offer, cheapest_first
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.engines.engine_memory import need_to_start, shorter_context, usable_gb
from inference_endpoints.engines.engine_settings import CONTEXT_FLAG, context_length, engine_name
from inference_endpoints.engines.memory import MemoryNeed, ModelMemory
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.models import ModelSettings


@dataclass(frozen=True)
class MemoryCheck:
    """What a model needs on one offer, and what there is, in GB.

    `shorter_context` is the longest context with which it would fit; None if it fits, or no context makes it fit.
    `requests_at_once` are requests of the context of `need` that fit at once, where that can be computed.
    """

    offer: Offer
    memory: ModelMemory
    need: MemoryNeed
    has_gb: float
    shorter_context: int | None = None
    requests_at_once: int | None = None

    @property
    def fits(self) -> bool:
        """Whether it fits, as far as it is known: a KV cache that is not known is not counted."""
        return self.need.total_gb <= self.has_gb

    def __str__(self) -> str:
        """What it needs and what there is, in words."""
        several = self.requests_at_once or 0
        room = f", enough for {several} such requests at once" if self.fits and several > 1 else ""
        return f"It needs {self.need}; {self.offer.id} has {self.has_gb:g} GB{room}."


def check_memory(known: KnownModel, settings: ModelSettings, offer: Offer) -> MemoryCheck | NotComputable:
    """Compare what a model needs with the memory that its engine uses on this hardware."""
    memory = known.memory(settings, offer.accelerators)
    if isinstance(memory, NotComputable):
        return memory
    if not offer.memory_gb:
        return NotComputable("the memory of this hardware is not listed")
    need, has = need_to_start(memory, settings), usable_gb(memory, offer.memory_gb, offer.accelerators)
    return MemoryCheck(
        offer=offer,
        memory=memory,
        need=need,
        has_gb=has,
        shorter_context=None if need.total_gb <= has else shorter_context(memory, settings, has),
        requests_at_once=memory.requests_at_once(has, need.context),
    )


def cheapest_that_holds(
    known: KnownModel, settings: ModelSettings, offers: Sequence[Offer], *, like: Offer, same_place: bool = False
) -> Offer | None:
    """The cheapest available hardware of the same kind that holds a model with its engine set like this.

    With `same_place` in the same region of the same vendor. An engine that is set to a number of accelerators needs it.
    """
    for offer in cheapest_first(offers):
        comparable = offer.is_this_machine == like.is_this_machine and offer.available and offer.price is not None
        if not comparable or offer.instance.accelerator != like.instance.accelerator:
            continue
        if same_place and offer.place != like.place:
            continue
        check = check_memory(known, settings, offer)
        if isinstance(check, MemoryCheck) and check.fits and _uses_all(check.memory, offer):
            return offer
    return None


def host_memory_is_short(check: MemoryCheck) -> bool:
    """Whether the main memory of a machine with accelerators is smaller than the weights that pass through it."""
    host = check.offer.instance.memory_gb
    return check.offer.instance.accelerator != "cpu" and host is not None and host < check.need.weights_gb


def context_arguments(memory: ModelMemory, settings: ModelSettings, has_gb: float) -> list[str]:
    """The arguments of an engine that set the longest context that fits; empty where none are needed or known."""
    if engine_name(settings) != "vllm" or context_length(settings):
        return []
    longest = memory.longest_context(has_gb)
    return [CONTEXT_FLAG, str(longest)] if longest not in (None, memory.max_context) else []


def _uses_all(memory: ModelMemory, offer: Offer) -> bool:
    return memory.accelerators * memory.copies == offer.accelerators
