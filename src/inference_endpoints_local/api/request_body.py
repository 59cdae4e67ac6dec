"""What a request carries, read within bounds."""

from typing import Any

from starlette.requests import Request

from inference_endpoints_local.control.lifecycle import Refused
from inference_endpoints_local.control.validation import read

BODY_BYTES = 1024 * 1024


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object a request carries. Raises BadBody, or Refused if it is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES:
            raise Refused(413, f"Payload Too Large: at most {BODY_BYTES} bytes")
    return read(bytes(received))
