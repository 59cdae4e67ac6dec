"""On which port a container says that it listens."""

import re
from collections.abc import Sequence

from inference_endpoints.diagnosis.facts import Line

# uvicorn, vLLM, llama.cpp, Text Embeddings Inference, in their own words.
_LISTENING = re.compile(
    r"(?:uvicorn running on|API server \d+ on|server is listening on|starting HTTP server:|listening on)"
    r" (?:https?://)?(?:[\d.]+|\[[\da-f:]+\]):(\d{2,5})\b",
    re.IGNORECASE,
)


def listening_port(lines: Sequence[Line]) -> tuple[int, Line] | None:
    """The port that was named last, with the line that names it."""
    for line in reversed(lines):
        named = _LISTENING.search(line.text)
        if named and int(named[1]) < 65_536:
            return int(named[1]), line
    return None
