"""The client's methods for models: what the Hub, the catalogue and the service's suggestions know of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from inference_endpoints.engines.model_config import ModelConfig
from inference_endpoints.models import CatalogueModel, ModelInfo, RequestPart, Suggestion
from inference_endpoints.transport import operations


class ModelClient(ABC):
    """Reads what is known of models."""

    @abstractmethod
    async def _send(
        self,
        operation: "operations.Operation[operations.Result]",
        *,
        query: dict[str, Any] | None = None,
        body: RequestPart | None = None,
        **arguments: str,
    ) -> "operations.Result": ...

    async def model(self, repository: str) -> ModelInfo:
        """Read a model's page on the Hub; `repository` is `owner/model`. Raises `NotFound`.

        >>> model = await client.model("HuggingFaceTB/SmolLM2-135M-Instruct")
        >>> model.pipeline_tag
        'text-generation'
        """
        owner, _, model = repository.partition("/")
        return await self._send(operations.MODEL, query={"blobs": "true"}, owner=owner, model=model)

    async def model_config(self, repository: str, revision: str | None = None) -> ModelConfig:
        """Read a model's `config.json` on the Hub. Raises `NotFound`, and `Forbidden` without access to a gated model.

        >>> from inference_endpoints.engines.model_config import kv_shape
        >>> config = await client.model_config("meta-llama/Llama-3.1-8B-Instruct")
        >>> config.max_context, kv_shape(config).bytes(tokens=1)
        (131072, 131072.0)
        """
        owner, _, model = repository.partition("/")
        return await self._send(operations.MODEL_CONFIG, owner=owner, model=model, revision=revision or "main")

    async def models(
        self, *, search: str | None = None, author: str | None = None, limit: int = 100
    ) -> Sequence[ModelInfo]:
        """Search the models on the Hub by a part of their names, or by their owner; the most downloaded first.

        >>> [model.id for model in await client.models(search="Llama-3.1-8B")]
        ['meta-llama/Llama-3.1-8B-Instruct']
        """
        query = {"search": search, "author": author, "limit": limit, "sort": "downloads"}
        return await self._send(operations.MODELS, query=query)

    async def catalogue(
        self, *, search: str | None = None, task: str | None = None, limit: int | None = None
    ) -> Sequence[CatalogueModel]:
        """Read the models that are known to deploy, at most `limit`.

        >>> [model.repo_id for model in await client.catalogue(search="MiniLM")]
        ['sentence-transformers/all-MiniLM-L6-v2']
        """
        query = {"search": search, "task": task, "limit": limit}
        return (await self._send(operations.CATALOGUE, query=query)).items

    async def suggestion(self, repository: str) -> Suggestion:
        """Read which hardware the service suggests for a model. Raises `NotFound` if it suggests nothing.

        >>> suggestion = await client.suggestion("BAAI/bge-reranker-v2-m3")
        >>> suggestion.suggested_compute
        'aws-eu-west-1-nvidia-t4-x1'
        """
        return await self._send(operations.SUGGESTION, query={"model_id": repository})
