"""Embedding worker: vectors and similarities of texts, by any GGUF model that makes embeddings."""

from starlette.routing import Route

from inference_endpoints_local.workers.embedding_routes import EmbeddingRoutes
from inference_endpoints_local.workers.llamacpp.encoder import LlamaEncoder
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes. `POST /` serves the endpoint's task."""
    model = EmbeddingRoutes(LlamaEncoder(config), config.model)
    task = {
        "feature-extraction": model.feature_extraction,
        "sentence-similarity": model.sentence_similarity,
    }[config.task]
    routes = {
        "/": task,
        "/predict": task,
        "/embed": model.feature_extraction,
        "/similarity": model.sentence_similarity,
        "/v1/embeddings": model.openai_embeddings,
    }
    return [Route(path, handler, methods=["POST"]) for path, handler in routes.items()]


if __name__ == "__main__":
    serve(load)
