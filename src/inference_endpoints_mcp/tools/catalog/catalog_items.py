"""The catalogue of models that are known to deploy: list it, or look one model up."""

from typing import Annotated

from pydantic import BaseModel, Field

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.models import CatalogueModel
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, RepositoryLine, ShortLine, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import Limit, Offset, Repository
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import NextCall, PagedOutput, ToolOutput, take_page
from inference_endpoints_mcp.tools.spec import Toolset, tool


class CatalogRow(BaseModel):
    repository: RepositoryLine
    task: Word | None = None
    license: ShortLine | None = None
    accelerators: list[Name] | None = None
    engines: list[Name] | None = None


class CatalogOutput(PagedOutput):
    models: list[CatalogRow]


class CatalogItemOutput(CatalogRow, ToolOutput):
    in_catalog: bool


@tool(uses=operations.CATALOGUE, toolset=Toolset.CATALOG, title="List models known to deploy")
async def list_catalog_items(
    call: Call,
    search: Annotated[str, Field(max_length=100)] = "",
    task: Annotated[str, Field(max_length=64, description="E.g. text-generation.")] = "",
    limit: Limit = 20,
    offset: Offset = 0,
) -> CatalogOutput:
    """List models that are known to deploy on this backend, with task and licence."""
    items = await call.endpoints.catalogue(search=search or None, task=task or None)
    rows = [_row(item) for item in items]
    page, following = take_page(rows, offset, limit)
    return CatalogOutput(models=page, total=len(rows), next_offset=following, now=f"{len(page)} of {len(rows)} shown.")


@tool(uses=operations.CATALOGUE, toolset=Toolset.CATALOG, title="Find a model in the catalogue")
async def has_catalog_item(call: Call, repository: Repository) -> CatalogItemOutput:
    """Check whether a model is in the catalogue of models that are known to deploy."""
    item = await find_catalog_item(call.endpoints, repository)
    following = [NextCall(tool="get_recommended_config", arguments={"repository": repository})]
    if item is None:
        now = "It is not in the catalogue, but it may still deploy."
        return CatalogItemOutput(repository=clean_line(repository, 512), in_catalog=False, now=now, next=following)
    return CatalogItemOutput(**_row(item).model_dump(), in_catalog=True, now="It is in the catalogue.", next=following)


def _row(item: CatalogueModel) -> CatalogRow:
    return CatalogRow(
        repository=clean_line(item.repo_id, 512),
        task=clean_line(item.task) if item.task else None,
        license=clean_line(item.license) if item.license else None,
        accelerators=sorted({clean_line(recipe.accelerator) for recipe in item.recipes if recipe.accelerator}) or None,
        engines=sorted({clean_line(recipe.engine_type) for recipe in item.recipes if recipe.engine_type}) or None,
    )


async def find_catalog_item(endpoints: AsyncEndpointsClient, repository: str) -> CatalogueModel | None:
    """Searches by the model's name without its owner: the service does not document what else it searches."""
    found = await endpoints.catalogue(search=repository.rpartition("/")[2][:100])
    return next((item for item in found if item.repo_id.lower() == repository.lower()), None)
