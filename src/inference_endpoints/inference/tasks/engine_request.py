"""A request to an engine, before the endpoint's address is known."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPENAI_ENGINES = ("vllm", "vllmneuron", "vllmomni", "sglang", "llamacpp")
"""Engines that serve the OpenAI API and no `POST /`, by the names of `engines/`."""


@dataclass(frozen=True)
class EngineRequest:
    """JSON in `body`, or a file in `content`, whose media type is found in its first bytes unless it is given."""

    path: str = "/"
    body: Any = None
    content: bytes | None = field(default=None, repr=False)
    content_type: str = ""


def multipart(path: str, fields: Mapping[str, Any], file: bytes, file_name: str, media_type: str) -> EngineRequest:
    """A form with a file, as the OpenAI API takes recordings. A field whose value is a list is repeated."""
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in fields.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            parts.append(_part(boundary, f'name="{_quoted(name)}"', b"", text.encode()))
    head = f"Content-Type: {media_type}\r\n".encode()
    parts.append(_part(boundary, f'name="file"; filename="{_quoted(file_name)}"', head, file))
    content = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return EngineRequest(path, content=content, content_type=f"multipart/form-data; boundary={boundary}")


def _part(boundary: str, disposition: str, head: bytes, content: bytes) -> bytes:
    first = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n".encode()
    return first + head + b"\r\n" + content + b"\r\n"


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
