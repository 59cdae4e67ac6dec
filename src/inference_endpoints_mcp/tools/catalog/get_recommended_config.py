"""Recommend a configuration for a model."""

from typing import Any

from pydantic import Field

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.offers import is_this_machine, list_offers
from inference_endpoints.deploy.sizing.model_check import access_warnings
from inference_endpoints.deploy.sizing.recommend import recommend
from inference_endpoints.deploy.specs import LONGEST_NAME, name_like
from inference_endpoints.errors import NotFound
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, Ours, RepositoryLine, Unchanged, is_plain
from inference_endpoints_mcp.privacy.lent_secrets import HUB_TOKEN
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import Namespace, Repository
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.catalog.known_models import gather_known
from inference_endpoints_mcp.tools.outputs import BackendName, NextCall, ToolOutput, backend_of_hardware
from inference_endpoints_mcp.tools.reading import read_together
from inference_endpoints_mcp.tools.spec import Toolset, tool

LONGEST_SETTING = 200
MAX_NAME_ATTEMPTS = 10


ACCEPT_TERMS = (
    "A person accepts its terms on the model's page, and the operator of this server lends a token of that account "
    "with --lend HF_TOKEN."
)


class RecommendedConfigOutput(ToolOutput):
    repository: RepositoryLine
    hardware: Name
    price_per_hour_usd: float | None = Field(default=None, description="Per replica.")
    backend: BackendName
    config: Unchanged = Field(description="Pass it to create_endpoint unchanged.")
    why: list[Ours]
    alternatives: list[Ours] = Field(description="Other available hardware, with its price.")
    in_catalog: bool


@tool(uses=operations.SUGGESTION, toolset=Toolset.CATALOG, title="Recommend a configuration")
async def get_recommended_config(
    call: Call, repository: Repository, namespace: Namespace = ""
) -> RecommendedConfigOutput:
    """Recommend hardware, engine and task for a model, from what is available now. `next` has the call that deploys
    it."""
    namespace = await call.resolve_namespace(namespace)
    known, listing = await read_together(gather_known(call, repository), call.hardware_cache.listing(namespace))
    if known.suggestion is None and known.item is None and known.hub.info is None and known.weights_gb is None:
        near = f"Similar names on the Hub: {', '.join(known.hub.near)}." if known.hub.near else ""
        raise NotFound("This model is unknown.", hint=near or "get_vendors lists hardware to choose from.")
    found = recommend(known, list_offers(listing))
    config = _plain(found.config)
    backend = backend_of_hardware(found.offer.id, call.endpoints.backend.name)
    create = {
        "endpoint_name": await _free_name(call.endpoints, namespace, repository),
        "namespace": namespace,
        "repository": repository,
        "hardware": found.offer.id,
        "config": config,
    }
    lent = [HUB_TOKEN] if HUB_TOKEN in call.lent_secrets.values else []
    needs_token = bool(access_warnings(known, [], namespace)) and not is_this_machine(found.offer.id)
    missing = access_warnings(known, lent, namespace) if needs_token else []
    if needs_token and lent:
        create["secret_names"] = lent
    return RecommendedConfigOutput(
        repository=clean_line(repository, 512),
        hardware=found.offer.id,
        price_per_hour_usd=found.offer.price,
        backend=backend,
        config=config,
        why=[clean_line(reason, 500) for reason in found.why],
        alternatives=[f"{one.id} (${one.price or 0:g}/h)" for one in found.alternatives],
        in_catalog=known.item is not None,
        now="Nothing is created yet."
        + (" It would be simulated: no model runs and nothing is billed." if backend == "simulated" else "")
        + (f" It would fail: {' '.join(missing)} {ACCEPT_TERMS}" if missing else ""),
        next=[] if missing else [NextCall(tool="create_endpoint", arguments=create)],
    )


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without texts of the Hub or the service that are more than a short line: none is needed."""
    kept = {
        name: _plain(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if is_plain(name, LONGEST_SETTING) and (isinstance(value, dict) or is_plain(value, LONGEST_SETTING))
    }
    return {name: value for name, value in kept.items() if value != {}}


async def _free_name(endpoints: AsyncEndpointsClient, namespace: str, repository: str) -> str:
    """A name like the model's that no endpoint has; the last one tried where all are taken."""
    model = repository.rpartition("/")[2].lower().removesuffix(".gguf")
    name = name_like(model) or "endpoint"
    for number in range(2, MAX_NAME_ATTEMPTS + 1):
        try:
            await endpoints.get(name, namespace)
        except NotFound:
            break
        name = f"{name_like(model, LONGEST_NAME - 3) or 'endpoint'}-{number}"
    return name
