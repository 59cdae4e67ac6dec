"""A whole response of an engine."""

from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.errors import InvalidResponse
from inference_endpoints.inference.calls.cold_start import CallDeadline, OpenResponse
from inference_endpoints.models.json_text import parse_json
from inference_endpoints.transport.http import read_up_to

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Bytes of one response. A larger one is refused."""


@dataclass(frozen=True)
class InferenceResponse:
    """An engine's response, unparsed. `seconds` is the duration of the call, `woke` whether it woke the endpoint.

    >>> response = get_inference_endpoint("chat").client.post(json={"inputs": "I like it."})
    >>> response.status, response.content_type, response.woke
    (200, 'application/json', False)
    """

    status: int
    content_type: str
    content: bytes = field(repr=False)
    seconds: float
    woke: bool

    def json(self) -> Any:
        """The content as JSON. Raises `InvalidResponse` if it is not JSON: another attempt would not help.

        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        try:
            return parse_json(self.content)
        except ValueError as error:
            raise InvalidResponse("The endpoint's answer is not JSON.", hint="Check its content type.") from error


async def read_content(opened: OpenResponse, deadline: CallDeadline) -> bytes:
    """The whole content. Raises `InvalidResponse` if it is larger than `MAX_RESPONSE_BYTES`."""
    with deadline.limit(f"{opened.call.label} did not finish its answer"):
        content = await read_up_to(opened.response, MAX_RESPONSE_BYTES + 1)
    if len(content) > MAX_RESPONSE_BYTES:
        raise InvalidResponse("The endpoint's answer is larger than 32 MiB.", hint="Request less at a time.")
    return content


async def read_response(opened: OpenResponse, deadline: CallDeadline) -> InferenceResponse:
    """The whole response. Raises `InvalidResponse` if it is larger than `MAX_RESPONSE_BYTES`."""
    response, content = opened.response, await read_content(opened, deadline)
    content_type = response.headers.get("content-type", "")
    return InferenceResponse(response.status_code, content_type, content, deadline.elapsed, opened.woke)
