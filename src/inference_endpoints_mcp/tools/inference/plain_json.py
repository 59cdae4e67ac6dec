"""JSON of an unknown form, made readable: numbers and files in it are described instead of repeated."""

import json
import re
from collections.abc import Sequence
from typing import Any

from inference_endpoints.inference.media import UNKNOWN
from inference_endpoints.inference.tasks.outputs import Media
from inference_endpoints.inference.tasks.readers.media import media_of_text

MOST_NUMBERS = 16
"""Numbers of one list that are shown as they are."""
FIRST_NUMBERS = 8
"""Numbers that are shown of a longer list: a vector has thousands, and a language model cannot use them."""
MOST_ROWS = 200
_LONGEST_NUMBER = 24
_SHORTEST_FILE = 200
"""Characters from which a text in base64 is taken for a file."""
_URL_SAFE = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"(?:data:[a-z0-9.+/;=-]{1,100},)?[A-Za-z0-9+/_-]+={0,2}", re.IGNORECASE)


def to_line(value: Any) -> str:
    """The value as compact JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def shortened(value: Any, files: list[Media]) -> Any:
    """The value without long lists of numbers and without files, which are added to `files`."""
    if isinstance(value, str):
        return _without_file(value, files)
    if isinstance(value, dict):
        numbers = all(map(is_number, value.values()))
        shown = FIRST_NUMBERS if numbers and len(value) > MOST_NUMBERS else MOST_ROWS
        first = {name: shortened(item, files) for name, item in list(value.items())[:shown]}
        return first | {"…": f"{len(value) - shown:,} more"} if len(value) > shown else first
    if not isinstance(value, list):
        return value
    if dimensions := _dimensions(value):
        return describe_numbers(value, dimensions)
    rows = [shortened(item, files) for item in value[:MOST_ROWS]]
    return [*rows, f"… {len(value) - MOST_ROWS:,} more"] if len(value) > MOST_ROWS else rows


def describe_numbers(value: Any, dimensions: Sequence[int]) -> Any:
    """`[384 numbers: 0.1, 0.2, …]`; a few numbers as they are."""
    if len(dimensions) == 1 and dimensions[0] <= MOST_NUMBERS:
        return value
    first = value
    while isinstance(first[0], list):
        first = first[0]
    shown = ", ".join(str(number)[:_LONGEST_NUMBER] for number in first[:FIRST_NUMBERS])
    return f"[{' by '.join(f'{size:,}' for size in dimensions)} numbers: {shown}, …]"


def _dimensions(value: Any) -> list[int]:
    """The lengths of nested lists of numbers, the outermost first; none if it is anything else."""
    if not isinstance(value, list) or not value:
        return []
    if all(map(is_number, value)):
        return [len(value)]
    inner = [_dimensions(item) for item in value]  # each once: nesting must not double the work
    return [len(value), *inner[0]] if all(inner) else []


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _without_file(text: str, files: list[Media]) -> str:
    is_uri = text.startswith("data:")
    if len(text) < _SHORTEST_FILE or not _BASE64.fullmatch(text) or (text.isalpha() and not is_uri):
        return text
    try:
        file = media_of_text(text if is_uri else text.translate(_URL_SAFE))
    except ValueError:
        file = None
    if file is None or file.media_type == UNKNOWN:
        return f"({len(text):,} characters of encoded data)"
    files.append(file)
    return f"({len(file.content):,} bytes of {file.media_type})"
