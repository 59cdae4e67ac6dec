"""Text classification worker: fastText language identification over 176 languages."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.worker_http import parameters, read_json, texts, unprocessable
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

LABEL_PREFIX = "__label__"
DEFAULT_TOP_K = 5
MAX_LABELS = 176
MAX_TEXTS = 1024


class LanguageModel:
    """Classifies the language of texts. Labels are ISO 639 codes, the most probable first."""

    def __init__(self, config: WorkerConfig) -> None:
        import fasttext

        self._model = fasttext.load_model(str(config.files["model"]))

    def classify(self, text: str, top_k: int) -> list[dict[str, Any]]:
        """Labels with their probabilities, at most 1: fastText rounds some to slightly more."""
        labels, scores = self._model.predict(" ".join(text.split()), k=top_k)  # fastText accepts one line at a time
        return [
            {"label": label.removeprefix(LABEL_PREFIX), "score": min(float(score), 1.0)}
            for label, score in zip(labels, scores, strict=True)
        ]

    async def predict(self, request: Request) -> Response:
        """`POST /`: a list of labels for each text, also for a single one."""
        body = await read_json(request)
        inputs = texts(body.get("inputs"), "inputs")
        if len(inputs) > MAX_TEXTS:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_TEXTS} texts at a time")
        top_k = parameters(body).get("top_k", DEFAULT_TOP_K)
        if type(top_k) is not int or not 1 <= top_k <= MAX_LABELS:
            raise unprocessable(f"`top_k` must be a whole number from 1 to {MAX_LABELS}")
        return JSONResponse([self.classify(text, top_k) for text in inputs])


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes."""
    model = LanguageModel(config)
    return [Route("/", model.predict, methods=["POST"]), Route("/predict", model.predict, methods=["POST"])]


if __name__ == "__main__":
    serve(load)
