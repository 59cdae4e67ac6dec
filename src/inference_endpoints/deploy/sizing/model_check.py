"""Pure: what a plan shows of its model: whether it exists, who may read it, its size, and whether it fits."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from inference_endpoints.deploy.offers import Offer, find_offer
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.deploy.sizing.memory_check import (
    MemoryCheck,
    cheapest_that_holds,
    check_memory,
    host_memory_is_short,
)
from inference_endpoints.engines.engine_settings import CONTEXT_FLAG, HUB_TOKEN_VARIABLES, engine_name
from inference_endpoints.engines.memory import GB
from inference_endpoints.engines.model_config import ModelConfig
from inference_endpoints.models import EndpointConfiguration, ModelSettings

_CONTEXT_SETTING = {
    "sglang": 'args ["--context-length", "{}"]',
    "tgi": "maxTotalTokens={} in the image",
    "llamacpp": "ctxSize={} in the image",
}


@dataclass(frozen=True)
class ModelCheck:
    """`facts` are true now; `warnings` name what would make the endpoint fail, and what to do."""

    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_model(
    known: KnownModel, after: EndpointConfiguration, offers: Sequence[Offer], secrets: Collection[str], namespace: str
) -> ModelCheck:
    """Check the model of an endpoint that is configured like this. `secrets` are the names of its secrets."""
    if known.hub.exists is False:
        near = f" Similar names: {', '.join(known.hub.near)}." if known.hub.near else ""
        missing = f"The Hub has no model {known.repository} that the token of this server may read.{near}"
        return ModelCheck(warnings=(missing,))
    facts, warnings = [_describe(known)], list(access_warnings(known, secrets, namespace))
    offer = find_offer(offers, after.hardware_id)
    if offer is not None:
        check = check_memory(known, after.model, offer)
        if not isinstance(check, MemoryCheck):
            facts.append(f"Memory is not computed: {check.reason}.")
        elif check.fits:
            facts.append(f"Memory: {check}")
        else:
            warnings.append(f"It does not fit. {check} {_what_fits(known, after.model, offers, check)}")
        if isinstance(check, MemoryCheck) and host_memory_is_short(check):
            host = offer.instance.memory_gb
            warnings.append(f"{offer.id} has {host:g} GB of main memory, less than the weights: loading may fail.")
    return ModelCheck(tuple(fact for fact in facts if fact), tuple(warnings))


def _describe(known: KnownModel) -> str:
    """The architecture, and the size by type."""
    info, config = known.hub.info, known.hub.config
    parts = []
    if isinstance(config, ModelConfig) and config.architecture:
        parts.append(config.architecture)
    if info is not None:
        plain = [(kind, size) for kind, size in info.bytes_by_type.items() if re.fullmatch(r"[A-Z0-9_]{1,16}", kind)]
        parts += [
            f"{size / GB:.3g} GB in {kind}" for kind, size in plain[:3] if size >= 0.01 * (info.weight_bytes or 1)
        ]
    if known.weights_gb is not None and not known.size_from_hub:
        parts.append(f"{known.weights_gb:.3g} GB of weights, estimated from its name")
    return f"Model: {', '.join(parts)}." if parts else ""


def access_warnings(known: KnownModel, secrets: Collection[str], namespace: str) -> list[str]:
    """What keeps an endpoint with these secrets from a gated model, or from a private one of somebody else."""
    info = known.hub.info
    owner = known.repository.partition("/")[0]
    if info is None or not (info.gated or (info.private and owner != namespace)):
        return []
    kind = "gated" if info.gated else "private"
    if not HUB_TOKEN_VARIABLES & {name.upper() for name in secrets}:
        return [f"The model is {kind}, and the endpoint has no secret HF_TOKEN: give it a token that may read it."]
    if known.hub.readable is False:
        return [
            f"The model is {kind}. The token of this server may not read it: check that the account of HF_TOKEN may."
        ]
    return []


def _what_fits(known: KnownModel, settings: ModelSettings, offers: Sequence[Offer], check: MemoryCheck) -> str:
    """The setting, and the cheapest hardware, with which it fits."""
    ways = []
    if check.shorter_context:
        setting = _CONTEXT_SETTING.get(engine_name(settings), f'args ["{CONTEXT_FLAG}", "{{}}"]')
        ways.append(f"with a context of {check.shorter_context:,} tokens ({setting.format(check.shorter_context)})")
    larger = cheapest_that_holds(known, settings, offers, like=check.offer)
    if larger is not None:
        ways.append(f"on {larger.id} ({larger.memory_gb:g} GB, ${larger.price or 0:g}/h)")
    return f"It fits {', or '.join(ways)}." if ways else "No available hardware holds it with these settings."
