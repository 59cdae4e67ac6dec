"""Image classification worker: EfficientNet-Lite0 over the 1,000 classes of ImageNet."""

import io
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.media_requests import only, read_media
from inference_endpoints_local.workers.worker_http import unprocessable
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

if TYPE_CHECKING:
    from inference_endpoints_local.workers.vision.efficientnet import EfficientNet, Floats

DEFAULT_TOP_K = 5
MAX_PIXELS = 50_000_000
_CROP = 32
"""The centre is looked at: pixels of the shorter side that are cut off, before it is made 224 long."""
_FUNCTIONS = ("softmax", "sigmoid", "none")


class ImageClassifier:
    """The routes of the worker. One image is looked at at a time."""

    def __init__(self, network: "EfficientNet", labels: list[str]) -> None:
        self._network = network
        self._labels = labels
        self._limiter = anyio.CapacityLimiter(1)

    async def classify(self, request: Request) -> Response:
        """`POST /`: labels with their scores, the best first."""
        media = await read_media(request)
        classes = len(self._labels)
        only(
            media.parameters,
            {
                "top_k": lambda value: type(value) is int and 1 <= value <= classes,
                "function_to_apply": lambda value: value in _FUNCTIONS,
            },
        )
        function = media.parameters.get("function_to_apply", "softmax")
        scores = await anyio.to_thread.run_sync(self._scores, media.content, function, limiter=self._limiter)
        best = scores.argsort()[::-1][: media.parameters.get("top_k", DEFAULT_TOP_K)]
        return JSONResponse([{"label": self._labels[at], "score": float(scores[at])} for at in best])

    def _scores(self, content: bytes, function: str) -> "Floats":
        import numpy as np

        scores = self._network.scores(read_pixels(content))
        if function == "softmax":
            powers = np.exp(scores - scores.max())
            return np.asarray(powers / powers.sum(), dtype=np.float32)
        return scores if function == "none" else np.asarray(1 / (1 + np.exp(-scores)), dtype=np.float32)


def read_pixels(content: bytes) -> "Floats":
    """The centre of an image as the network takes it. Raises 422."""
    import numpy as np
    from PIL import Image, ImageOps

    from inference_endpoints_local.workers.vision.efficientnet import SIDE

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF", "WEBP", "BMP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise unprocessable(f"The image has more than {MAX_PIXELS // 1_000_000} million pixels")
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise unprocessable("The file is no image that can be read here: send PNG, JPEG, GIF, WebP or BMP") from None
    side = min(upright.size) * SIDE / (SIDE + _CROP)
    left, top = (upright.width - side) / 2, (upright.height - side) / 2
    centre = upright.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(centre, dtype=np.float32)


def read_labels(config: WorkerConfig) -> list[str]:
    """The first name of each class, in the order of the network's scores."""
    lines = config.files["names"].read_text("utf-8").splitlines()
    names: dict[str, Any] = dict(line.split("\t", 1) for line in lines)
    return [names[synset] for synset in config.files["classes"].read_text("utf-8").split()]


def load(config: WorkerConfig) -> list[Route]:
    """Read the weights and return the routes."""
    from inference_endpoints_local.workers.vision.efficientnet import EfficientNet
    from inference_endpoints_local.workers.vision.torch_file import read_torch_file

    network = EfficientNet(read_torch_file(config.files["model"]))
    model = ImageClassifier(network, read_labels(config))
    return [Route(path, model.classify, methods=["POST"]) for path in ("/", "/predict")]


if __name__ == "__main__":
    serve(load)
