"""Server-sent events, and ids of calls."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

_numbers = itertools.count(1)

DONE_TEXT = "Done."
"""What the model says at the end."""


def call_id() -> str:
    return f"call_{next(_numbers):08d}"


def event_stream(events: Iterable[tuple[str | None, Any]], *, end: str = "") -> bytes:
    """Events by their name, or without one, with their data as JSON."""
    text = "".join(f"{f'event: {name}{chr(10)}' if name else ''}data: {json.dumps(data)}\n\n" for name, data in events)
    return (text + end).encode()


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of blocks."""
    if isinstance(content, list):
        return "\n".join(text_of(block) for block in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or content.get("output") or "")
    return str(content or "")
