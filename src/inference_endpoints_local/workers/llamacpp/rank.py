"""Ranking worker: the score of each text for a query, by any GGUF model that ranks (a cross-encoder)."""

from starlette.routing import Route

from inference_endpoints_local.workers.llamacpp.encoder import LlamaRanker
from inference_endpoints_local.workers.ranking_routes import RankingRoutes
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes."""
    model = RankingRoutes(LlamaRanker(config).score, config.model)
    routes = {"/": model.rank, "/predict": model.rank, "/rerank": model.rank, "/v1/rerank": model.jina_rank}
    return [Route(path, handler, methods=["POST"]) for path, handler in routes.items()]


if __name__ == "__main__":
    serve(load)
