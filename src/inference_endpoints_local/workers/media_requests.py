"""Requests of media tasks: a file as the body, as base64 in JSON, or in a form; and files as responses."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from inference_endpoints_local.workers.worker_http import malformed, parameters, parse_json, read_body, unprocessable

MAX_FILE_BYTES = 24 * 1024 * 1024
"""As base64 it is below the plane's limit of 32 MiB."""


@dataclass(frozen=True)
class MediaRequest:
    """A file, and the parameters of the task."""

    content: bytes = field(repr=False)
    parameters: dict[str, Any]


async def read_media(request: Request) -> MediaRequest:
    """The file and the parameters of a request of the task API. Raises 400, 413 and 422."""
    body = await read_body(request, MAX_FILE_BYTES * 4 // 3)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        if not body:
            raise malformed("The body is empty: send the bytes of a file, or JSON with `inputs` in base64")
        return MediaRequest(bytes(body), {})
    values = parse_json(body)
    return MediaRequest(_decoded(values.get("inputs")), parameters(values))


async def read_form(request: Request) -> MediaRequest:
    """The file and the fields of an OpenAI form. Raises 400 and 413."""
    body = await read_body(request, MAX_FILE_BYTES)

    async def stream() -> Any:
        yield bytes(body)

    try:
        form = await _InMemory(request.headers, stream(), max_files=1).parse()
    except (MultiPartException, KeyError):
        raise malformed("The body must be a form (multipart/form-data) with `file`", "file") from None
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise malformed("`file` is missing from the form", "file")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return MediaRequest(await file.read(), fields)


class _InMemory(MultiPartParser):
    """A worker can write no file, so that nothing is spooled to one."""

    spool_max_size = MAX_FILE_BYTES + 1


def _decoded(inputs: Any) -> bytes:
    if isinstance(inputs, str) and inputs:
        head, comma, data = inputs.partition(",") if inputs.startswith("data:") else ("", ",", inputs)
        try:
            if comma and (not head or head.endswith(";base64")):
                return base64.b64decode("".join(data.split()), validate=True)
        except ValueError:
            pass
    raise unprocessable("`inputs` must be a file in base64, or send its bytes as the body", "inputs")


def only(values: dict[str, Any], known: dict[str, Callable[[Any], bool]], prefix: str = "parameters.") -> None:
    """Raises 422 for a parameter that is not known, or has a value that does not pass."""
    for name, value in values.items():
        if name not in known:
            supported = ", ".join(known) or "none"
            raise unprocessable(f"`{prefix}{name}` is not supported here. Supported: {supported}", prefix + name)
        if not known[name](value):
            raise unprocessable(f"`{prefix}{name}` has a value that is not supported here", prefix + name)
