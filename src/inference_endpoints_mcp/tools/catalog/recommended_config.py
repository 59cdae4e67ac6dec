"""How to deploy a model: whether it is in the catalogue, and the configuration to create it with."""

import asyncio
import re
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from pydantic import Field

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.hardware import offers
from inference_endpoints.deploy.recommend import Known, recommend
from inference_endpoints.errors import BadRequest, Forbidden, NotFound, Unauthorized, Unavailable
from inference_endpoints.models import CatalogueModel
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.untrusted_text import line
from inference_endpoints_mcp.tools.answers import Answer, BackendName, NextCall, backend_of_hardware
from inference_endpoints_mcp.tools.arguments import Namespace
from inference_endpoints_mcp.tools.context import Call
from inference_endpoints_mcp.tools.spec import Toolset, tool

Told = TypeVar("Told")

LONGEST_NAME = 32
NAMES_TRIED = 10

Repository = Annotated[str, Field(min_length=1, max_length=512)]


class CatalogItem(Answer):
    repository: str
    in_catalog: bool
    task: str | None = None
    license: str | None = None
    accelerators: list[str] | None = None
    engines: list[str] | None = None


class RecommendedConfig(Answer):
    repository: str
    hardware: str
    price_per_hour_usd: float | None = Field(default=None, description="Per replica.")
    backend: BackendName
    config: dict[str, Any] = Field(description="For create_endpoint, as it is.")
    why: list[str]
    alternatives: list[str] = Field(description="Other hardware that could be had, with its price.")
    in_catalog: bool


@tool(uses=operations.CATALOGUE, toolset=Toolset.CATALOG, title="Look a model up in the catalogue")
async def has_catalog_item(call: Call, repository: Repository) -> CatalogItem:
    """Tell whether a model is in the catalogue of those known to deploy."""
    item = await _item(call.endpoints, repository)
    shown = line(repository, 512)
    following = NextCall(tool="get_recommended_config", arguments={"repository": repository})
    if item is None:
        now = "It is not in the catalogue. It may deploy all the same."
        return CatalogItem(repository=shown, in_catalog=False, now=now, next=[following])
    return CatalogItem(
        repository=line(item.repo_id, 512),
        in_catalog=True,
        task=line(item.task) if item.task else None,
        license=line(item.license) if item.license else None,
        accelerators=sorted({line(recipe.accelerator) for recipe in item.recipes}) or None,
        engines=sorted({line(recipe.engine_type) for recipe in item.recipes}) or None,
        now="It is in the catalogue.",
        next=[following],
    )


@tool(uses=operations.SUGGESTION, toolset=Toolset.CATALOG, title="Recommend a configuration")
async def get_recommended_config(call: Call, repository: Repository, namespace: Namespace = "") -> RecommendedConfig:
    """Recommend hardware, engine and task for a model, of what can be had now. `next` is the call that deploys it."""
    namespace = await call.namespace(namespace)
    known = await known_of(call.endpoints, repository)
    if known.suggestion is None and known.item is None and known.info is None and known.weight_gb is None:
        raise NotFound("Nothing is known about this model.", hint="get_vendors lists hardware to choose from.")
    found = recommend(known, offers(await call.listing.vendors(namespace)))
    backend = backend_of_hardware(found.offer.id, call.endpoints.backend.name)
    create = {
        "endpoint_name": await _free_name(call.endpoints, namespace, repository),
        "namespace": namespace,
        "repository": repository,
        "hardware": found.offer.id,
        "config": found.config,
    }
    return RecommendedConfig(
        repository=line(repository, 512),
        hardware=found.offer.id,
        price_per_hour_usd=found.offer.price,
        backend=backend,
        config=found.config,
        why=[line(reason, 300) for reason in found.why],
        alternatives=[f"{one.id} (${one.price or 0:g}/h)" for one in found.alternatives],
        in_catalog=known.item is not None,
        now="Nothing was created yet."
        + (" It would be simulated: no model runs and nothing is billed." if backend == "simulated" else ""),
        next=[NextCall(tool="create_endpoint", arguments=create)],
    )


async def _item(endpoints: AsyncEndpointsClient, repository: str) -> CatalogueModel | None:
    """By the model's own name, since what else the service searches in is not documented."""
    found = await endpoints.catalogue(search=repository.rpartition("/")[2][:100])
    return next((item for item in found if item.repo_id.lower() == repository.lower()), None)


async def known_of(endpoints: AsyncEndpointsClient, repository: str) -> Known:
    """What the service and the Hub tell of a model. Who does not know it, or does not say, leaves a gap."""
    suggestion, item, info = await asyncio.gather(
        _if_told(endpoints.suggestion(repository)),
        _if_told(_item(endpoints, repository)),
        _if_told(endpoints.model(repository)),
    )
    return Known(repository, suggestion, item, info)


async def _if_told(answer: Awaitable[Told]) -> Told | None:
    try:
        return await answer
    except (NotFound, BadRequest, Unauthorized, Forbidden, Unavailable):
        return None


async def _free_name(endpoints: AsyncEndpointsClient, namespace: str, repository: str) -> str:
    """A name of the model's own that no endpoint has, or the last that was tried."""
    own = re.sub(r"[^a-z0-9]+", "-", repository.rpartition("/")[2].lower().removesuffix(".gguf")).strip("-")
    name = own = own[:LONGEST_NAME].strip("-") or "endpoint"
    for number in range(2, NAMES_TRIED + 1):
        try:
            await endpoints.get(name, namespace)
        except NotFound:
            break
        name = f"{own[: LONGEST_NAME - 3].strip('-')}-{number}"
    return name
