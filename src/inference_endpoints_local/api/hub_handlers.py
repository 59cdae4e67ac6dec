"""The handlers for the Hub's pages: the models that run on this machine, and those that the simulation knows."""

from typing import Any

from starlette.requests import Request

from inference_endpoints_local.api.request_handling import Handler
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.models import catalogue, hub_models
from inference_endpoints_local.models.local_model import LocalModel
from inference_endpoints_local.wire import queries, responses, routes
from inference_endpoints_local.wire.queries import parse_query
from inference_endpoints_local.wire.routes import RouteContract


class HubHandlers:
    """Serves what is known of models. Without the simulation no cloud hardware runs any."""

    def __init__(self, simulated: bool) -> None:
        self._shipped = {model.repository.lower(): _shipped_info(model) for model in catalogue.shipped_models()}
        self._simulated = {model.repository.lower(): model for model in hub_models.all_models() if simulated}

    def handlers(self) -> list[tuple[RouteContract, Handler]]:
        return [
            (routes.MODELS, self._models),
            (routes.MODEL, self._model),
            (routes.MODEL_CONFIG, self._config),
        ]

    async def _models(self, request: Request) -> list[responses.ModelInfoDocument]:
        query = parse_query(request, queries.ModelsQuery)
        known = [*self._shipped.values(), *(model.info for model in self._simulated.values())]
        found = [
            info
            for info in known
            if query.search.lower() in info["id"].lower() and query.author in ("", info["id"].partition("/")[0])
        ]
        return found[: query.limit]

    async def _model(self, request: Request) -> responses.ModelInfoDocument:
        name = _repository(request)
        if (model := self._simulated.get(name)) is not None:
            return model.info
        if (info := self._shipped.get(name)) is not None:
            return info
        raise RequestRefused(404, "Not Found: this control plane knows the models of its catalogue alone")

    async def _config(self, request: Request) -> Any:
        model = self._simulated.get(_repository(request))
        if model is None:
            raise RequestRefused(404, "Not Found: there is no such file")
        return model.config.raw


def _repository(request: Request) -> str:
    return "{owner}/{model}".format(**request.path_params).lower()


def _shipped_info(model: LocalModel) -> responses.ModelInfoDocument:
    return {
        "id": model.repository,
        "modelId": model.repository,
        "pipeline_tag": model.tasks[0],
        "private": False,
        "gated": False,
        "tags": [*model.tasks, f"license:{model.license}"],
    }
