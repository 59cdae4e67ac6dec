"""The catalogue of models, and what the service suggests for a model."""

from datetime import datetime

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw
from inference_endpoints.models.settings.image import Image


class Recipe(ApiModel):
    public_id: str = ""
    accelerator: str = ""
    engine_type: str = ""
    gguf_file: str | None = None
    revision: str | None = None


class CatalogueModel(ApiModel):
    """A model that is known to deploy, with its recipes."""

    repo_id: str
    model_name: str | None = None
    author_name: str | None = None
    license: str | None = None
    task: str | None = None
    created_at: datetime | None = None
    recipes: list[Recipe] = Field(default_factory=list)


class Suggestion(ApiModelWithRaw):
    """The answer of `GET /api/configuration`, which the service does not document: of its own only `suggestedCompute`
    is known, an id of hardware.
    """

    suggested_compute: str | None = None
    task: str | None = None
    framework: str | None = None
    image: Image | None = None


class Catalogue(ApiModelWithRaw):
    items: list[CatalogueModel] = Field(default_factory=list)
