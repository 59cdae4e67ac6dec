"""A worker without a model. It is loaded once the file `gate` exists, and fails to load if that has content."""

import threading
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.worker_http import read_json
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve


async def size(request: Request) -> Response:
    body = await read_json(request)
    if "explode" in body:
        raise RuntimeError(body["explode"])
    return JSONResponse({"fields": len(body)})


def load(config: WorkerConfig) -> list[Route]:
    gate = Path(config.files["gate"])
    while not gate.exists():
        threading.Event().wait(0.01)
    if complaint := gate.read_text():
        raise RuntimeError(complaint)
    return [Route("/", size, methods=["POST"])]


if __name__ == "__main__":
    serve(load)
