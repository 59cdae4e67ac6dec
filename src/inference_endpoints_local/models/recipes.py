"""The inference catalogue: how each known model is deployed, and which configuration is suggested for it.

The shipped models run on this machine. With the simulation the catalogue also has models of the Hub on cloud hardware:
the cheapest instance that holds them at 16 bits with a usual context, set to the longest that fits.
"""

import re
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inference_endpoints.engines.engine_settings import CONTEXT_FLAG
from inference_endpoints_local.models import catalogue, hub_models
from inference_endpoints_local.models.hub_models import HubModel
from inference_endpoints_local.models.instances import (
    LOCAL_VENDOR,
    UNAVAILABLE_STATUSES,
    InstanceCatalogue,
    OfferedInstance,
)
from inference_endpoints_local.models.local_model import LocalModel, NotRunnable
from inference_endpoints_local.models.model_files import ANYWHERE, ModelFolders
from inference_endpoints_local.wire import responses

_MAX_NAME_LENGTH = 32
_SUFFIX_LENGTH = 3
_MAX_CPU_BILLIONS = 0.5
"""Parameters in 10⁹ up to which a CPU is fast enough."""
_VLLM = "vllm/vllm-openai:v0.23.0"  # the image in the help of huggingface_hub 2.4.0


@dataclass(frozen=True)
class DeploymentRecipe:
    """One way to deploy a model."""

    id: str
    repository: str
    license: str
    task: str
    engine: str
    image: dict[str, dict[str, Any]]
    hardware: OfferedInstance
    gguf_file: str | None = None
    args: tuple[str, ...] = ()

    @property
    def framework(self) -> str:
        return "llamacpp" if self.engine == "llamacpp" else "pytorch"

    def create_body(self, name: str) -> dict[str, Any]:
        """The body of its create request. It scales to zero, as the service's recipes do."""
        return {
            "name": name,
            "type": "authenticated",
            "provider": {"vendor": self.hardware.vendor, "region": self.hardware.region},
            "compute": {
                "accelerator": self.hardware.accelerator,
                "instanceType": self.hardware.instance_type,
                "instanceSize": self.hardware.instance_size,
                "scaling": {"minReplica": 0, "maxReplica": 1},
            },
            "model": {
                "repository": self.repository,
                "framework": self.framework,
                "task": self.task,
                "image": self.image,
                **({"args": [*self.args]} if self.args else {}),
            },
        }

    def new_name(self) -> str:
        """In the form that the service uses: `llama-3-2-3b-instruct-eey`."""
        words = re.sub(r"[^a-z0-9]+", "-", self.repository.rpartition("/")[2].lower()).strip("-")
        suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_SUFFIX_LENGTH))
        return f"{words[: _MAX_NAME_LENGTH - _SUFFIX_LENGTH - 1].rstrip('-')}-{suffix}"


class RecipeCatalogue:
    """All recipes of a plane, one for each model."""

    def __init__(self, instances: InstanceCatalogue, folders: ModelFolders = ANYWHERE) -> None:
        self._instances = instances
        self._folders = folders
        self._models = instances.own.models()
        self._simulated = list(_simulated(instances)) if instances.simulated else []

    @property
    def _recipes(self) -> list[DeploymentRecipe]:
        """The own hardware may come and go."""
        shipped = (self._shipped(model) for model in self._models)
        return [*(recipe for recipe in shipped if recipe), *self._simulated]

    def items(self) -> list[responses.CatalogueModelDocument]:
        return [_item(recipe) for recipe in self._recipes]

    def by_id(self, recipe_id: str) -> DeploymentRecipe | None:
        return next((recipe for recipe in self._recipes if recipe.id == recipe_id), None)

    def for_model(
        self, repository: str, accelerator: str | None = None, gguf_file: str | None = None
    ) -> DeploymentRecipe | None:
        """The recipe for that repository, if it also has that accelerator and file; else None."""
        for recipe in self._recipes:
            if recipe.repository.lower() == repository.lower():
                fits = accelerator in (None, recipe.hardware.accelerator) and gguf_file in (None, recipe.gguf_file)
                return recipe if fits else None
        return None

    def suggestion(self, repository: str) -> responses.SuggestionDocument | None:
        """How to deploy a model of the catalogue, or a GGUF file on this machine; None for any other model.

        Reads that file.
        """
        recipe = self.for_model(repository)
        if recipe is None:
            try:
                recipe = self._shipped(catalogue.resolve_model(repository, folders=self._folders).model)
            except NotRunnable:
                recipe = None
        if recipe is None:
            return None
        return {
            "suggestedCompute": recipe.hardware.id,
            "task": recipe.task,
            "framework": recipe.framework,
            "image": recipe.image,
        }

    def _shipped(self, model: LocalModel) -> DeploymentRecipe | None:
        smallest = next(iter(self._instances.own.instances()), None)
        if smallest is None:
            return None
        return DeploymentRecipe(
            id=f"local-{model.worker}-{model.repository.rpartition('/')[2].lower()}",
            repository=model.repository,
            license=model.license,
            task=model.tasks[0],
            engine=model.library,
            image={"huggingface": {}},
            hardware=smallest,
            gguf_file=model.gguf_file,
        )


def _simulated(instances: InstanceCatalogue) -> Iterator[DeploymentRecipe]:
    for model in hub_models.all_models():
        hardware = _cheapest_fitting(instances, model)
        image: dict[str, dict[str, Any]] = {model.engine: {}}
        args: tuple[str, ...] = ()
        if model.engine == "vLLM":
            accelerators = hardware.num_accelerators
            image = {model.engine: {"url": _VLLM, **({"tensorParallelSize": accelerators} if accelerators > 1 else {})}}
            memory = model.memory(accelerators)
            longest = memory.longest_context(hardware.gpu_memory_gb or 0.0)
            args = (CONTEXT_FLAG, str(longest)) if longest not in (None, memory.max_context) else ()
        yield DeploymentRecipe(
            id=f"simulated-{model.engine.lower()}-{model.repository.rpartition('/')[2].lower()}",
            repository=model.repository,
            license=model.license,
            task=model.task,
            engine=model.engine,
            image=image,
            hardware=hardware,
            args=args,
        )


def _cheapest_fitting(instances: InstanceCatalogue, model: HubModel) -> OfferedInstance:
    """The cheapest cloud instance that holds this model."""
    kinds = ("cpu", "gpu") if model.parameters_b <= _MAX_CPU_BILLIONS else ("gpu",)
    by_price = sorted(instances.offered(), key=lambda instance: (instance.price_per_hour or 0.0, instance.id))
    return next(
        instance
        for instance in by_price
        if instance.vendor != LOCAL_VENDOR
        and instance.accelerator in kinds
        and instance.status not in UNAVAILABLE_STATUSES
        and (instance.gpu_memory_gb or instance.memory_gb or 0) >= _needed_gb(model, instance)
    )


def _needed_gb(model: HubModel, instance: OfferedInstance) -> float:
    return model.memory(instance.num_accelerators if instance.accelerator == "gpu" else 1).need().total_gb


def _item(recipe: DeploymentRecipe) -> responses.CatalogueModelDocument:
    author, _, name = recipe.repository.partition("/")
    document: responses.RecipeDocument = {
        "publicId": recipe.id,
        "accelerator": recipe.hardware.accelerator,
        "engineType": recipe.engine,
    }
    if recipe.gguf_file:
        document["ggufFile"] = recipe.gguf_file
    return {
        "repoId": recipe.repository,
        "modelName": name,
        "authorName": author,
        "license": recipe.license,
        "task": recipe.task,
        "createdAt": catalogue.CREATED_AT,
        "recipes": [document],
    }
