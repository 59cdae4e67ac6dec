"""Models of the Hub that the simulation knows: their cards, sizes and configurations."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from inference_endpoints.engines.memory import GB, ModelMemory
from inference_endpoints.engines.model_config import KvShape, ModelConfig, NotComputable, kv_shape
from inference_endpoints.models import weight_bytes_by_name
from inference_endpoints_local.wire import responses

GENERATING = "text-generation"
_SHAPE = (
    *("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size"),
    "max_position_embeddings",
)


@dataclass(frozen=True)
class HubModel:
    """A model of the Hub. `gated` is how access is granted; empty where everyone has it."""

    repository: str
    license: str
    gated: str
    task: str
    engine: str
    parameters_b: float
    config: ModelConfig

    def memory(self, accelerators: int = 1) -> ModelMemory:
        """What it takes at 16 bits a parameter, shared by so many accelerators."""
        return ModelMemory(self.parameters_b * 2e9 / GB, self._kv, self.config.max_context, accelerators)

    @cached_property
    def _kv(self) -> KvShape | NotComputable | None:
        return kv_shape(self.config) if self.task == GENERATING else None

    @property
    def info(self) -> responses.ModelInfoDocument:
        """The Hub's `/api/models/{owner}/{model}`."""
        count = round(self.parameters_b * 1e9)
        return {
            "id": self.repository,
            "modelId": self.repository,
            "pipeline_tag": self.task,
            "private": False,
            "gated": self.gated or False,
            "tags": [self.task, f"license:{self.license}"],
            "safetensors": {"parameters": {"BF16": count}, "total": count},
        }


def find(repository: str) -> HubModel | None:
    """The model with this repository, compared without case; None if it is not known."""
    return next((model for model in all_models() if model.repository.lower() == repository.lower()), None)


def size_and_config(repository: str) -> tuple[float | None, ModelConfig | NotComputable]:
    """GB of the weights and the configuration, as far as the model is known or its name shows its size."""
    if (model := find(repository)) is not None:
        return model.parameters_b * 2e9 / GB, model.config
    weights = weight_bytes_by_name(repository)
    return weights / GB if weights else None, NotComputable("only the model's name is known")


@cache
def all_models() -> tuple[HubModel, ...]:
    """Every one, with the license, task, size and shape from its pages."""
    text = (files("inference_endpoints_local") / "data" / "models.csv").read_text(encoding="utf-8")
    return tuple(_model(row) for row in csv.DictReader(text.splitlines()))


def _model(row: Mapping[str, str]) -> HubModel:
    return HubModel(
        repository=row["repository"],
        license=row["license"],
        gated=row["gated"],
        task=row["task"],
        engine=row["engine"],
        parameters_b=float(row["parameters_b"]),
        config=ModelConfig.model_validate(
            {"model_type": row["model_type"]} | {name: int(row[name]) for name in _SHAPE if row[name]}
        ),
    )
