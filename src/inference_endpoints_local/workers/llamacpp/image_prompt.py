"""The image-text-to-text task, `{"inputs": {"text", "image"}}`, as a chat of one message."""

from typing import Any

from inference_endpoints_local.workers.llamacpp import images, text_generation
from inference_endpoints_local.workers.worker_http import unprocessable


def read_request(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a chat for the engine. `inputs` may also be a text alone. Raises 422."""
    inputs = body.get("inputs")
    text, image = (inputs.get("text"), inputs.get("image")) if isinstance(inputs, dict) else (inputs, None)
    if not isinstance(text, str) or not text:
        raise unprocessable("`inputs` must be a text, or an object with `text` and `image`", "inputs.text")
    generation = text_generation.read_request(body | {"inputs": text})
    if body.get("stream") or generation.details or generation.prefix:
        raise unprocessable("`stream`, `details` and `return_full_text` are not here: use /v1/chat/completions")
    request = {name: value for name, value in generation.request.items() if name not in ("prompt", "logprobs")}
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if image is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": _data_uri(image)}})
    return request | {"messages": [{"role": "user", "content": content}]}


def _data_uri(image: Any) -> str:
    if not isinstance(image, str):
        raise unprocessable("`inputs.image` must be an image in base64", "inputs.image")
    # The engine finds out by itself which format it is.
    uri = image if image.startswith("data:") else f"data:image/png;base64,{image}"
    if wrong := images.refusal(uri):
        raise unprocessable(f"`inputs.image` {wrong}", "inputs.image")
    return uri
