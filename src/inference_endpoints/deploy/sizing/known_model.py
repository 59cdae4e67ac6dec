"""Pure: what is known of a model before it is deployed, and the memory that follows from it."""

from dataclasses import dataclass, field
from typing import get_args

from inference_endpoints.engines.engine_memory import memory_with_engine
from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.engines.memory import GB, ModelMemory
from inference_endpoints.engines.model_config import ModelConfig, NotComputable
from inference_endpoints.models import CatalogueModel, ModelInfo, ModelSettings, Suggestion, weight_bytes_by_name
from inference_endpoints.models.settings.literals import EndpointTask


@dataclass(frozen=True)
class HubFacts:
    """What the Hub answered about a model.

    `exists` and `readable` are None where that is not known. `near` are models of similar names, if it does not exist.
    `readable` is whether the token of this server may read its files.
    """

    info: ModelInfo | None = None
    config: ModelConfig | NotComputable = field(default_factory=lambda: NotComputable("the Hub was not read"))
    exists: bool | None = None
    readable: bool | None = None
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownModel:
    """What is known about a model before it is deployed. Each part may be missing."""

    repository: str
    suggestion: Suggestion | None = None
    item: CatalogueModel | None = None
    hub: HubFacts = field(default_factory=HubFacts)

    @property
    def task(self) -> str | None:
        tasks = (
            self.suggestion and self.suggestion.task,
            self.item and self.item.task,
            self.hub.info and self.hub.info.pipeline_tag,
        )
        # A model's page may name any task. The service refuses one that it does not serve.
        return next((task for task in tasks if isinstance(task, str) and task in get_args(EndpointTask)), None)

    @property
    def gguf_file(self) -> str | None:
        """The GGUF file to load: the model itself, or the one that the catalogue has. None if there is a choice."""
        if self.repository.lower().endswith(".gguf"):
            return self.repository.rpartition("/")[2]
        files = {recipe.gguf_file for recipe in (self.item.recipes if self.item else ()) if recipe.gguf_file}
        return files.pop() if len(files) == 1 else None

    @property
    def weights_gb(self) -> float | None:
        known = self.hub.info.weight_bytes if self.hub.info else None
        size = known or weight_bytes_by_name(self.repository)
        return size / GB if size else None

    @property
    def size_from_hub(self) -> bool:
        """Whether the size is from the Hub, and not from the model's name."""
        return bool(self.hub.info and self.hub.info.weight_bytes)

    def memory(self, settings: ModelSettings, accelerators: int) -> ModelMemory | NotComputable:
        """The memory that it takes with an engine set like this, on a replica with so many accelerators."""
        return memory_with_engine(settings, self._weights_of(settings), self.hub.config, accelerators)

    def _weights_of(self, settings: ModelSettings) -> float | None:
        """GB of the weights that the engine loads: for llama.cpp of one file."""
        if engine_name(settings) != "llamacpp":
            return self.weights_gb
        path = settings.image.settings.get("modelPath") if settings.image else None
        size = self.hub.info.file_bytes(str(path)) if self.hub.info else None
        return size / GB if size else None
