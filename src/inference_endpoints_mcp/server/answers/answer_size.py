"""Keeps an answer to its promised size: shortens what is fenced, then lists, and adds a note if lists were cut."""

import json
import re
from collections.abc import Iterator
from typing import Any

from inference_endpoints_mcp.privacy.token_bound import MAX_ANSWER_TOKENS, fits, token_bound

_FENCED = re.compile(
    r"(?P<open><(?P<mark>untrusted-[0-9a-f]{12}) source=\"(?P<source>[^\">\n]*)\">\n)"
    r"(?:\[(?P<earlier>\d+) earlier characters omitted\]\n)?"
    r"(?P<text>.*?)(?:\n\[(?P<later>\d+) later characters omitted\])?(?P<close>\n</(?P=mark)>)",
    re.DOTALL,
)
_FROM_THE_START = frozenset({"model"})
"""Sources of which the beginning counts more than the end: a sorted list has its best there."""
_SHORTEST = 200
"""Characters of a fenced text that are always left."""


def to_compact_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def fit(data: dict[str, Any], limit: int = MAX_ANSWER_TOKENS) -> dict[str, Any]:
    """The answer, changed in place so that it has at most `limit` tokens."""
    if fits(to_compact_json(data), limit):
        return data
    is_list_cut = False
    while (excess := token_bound(to_compact_json(data)) - limit) > 0:
        texts = sorted(_fenced(data), key=lambda place: len(place[0][place[1]]), reverse=True)
        if texts and (shorter := _shortened(texts[0][0][texts[0][1]], excess)) is not None:
            texts[0][0][texts[0][1]] = shorter
            continue
        longest = max(_lists(data), key=lambda items: len(to_compact_json(items)), default=None)
        if longest is None:
            break
        del longest[len(longest) // 2 :]
        if not is_list_cut:
            data["now"] = f"Parts of this answer were too long and are left out. {data.get('now', '')}".strip()
        is_list_cut = True
    return data


def _shortened(fenced: str, tokens: int) -> str | None:
    """The fenced text without so much of its end or beginning that it has these tokens less; None if it is short."""
    parts = _FENCED.fullmatch(fenced)
    if parts is None or len(parts["text"]) <= _SHORTEST:
        return None
    text, from_the_start = parts["text"], parts["source"] in _FROM_THE_START
    share = min(1.0, (tokens + 50) / max(1, token_bound(text)))
    dropped = max(1, min(round(len(text) * share), len(text) - _SHORTEST))
    if from_the_start:
        later = int(parts["later"] or 0) + dropped
        return f"{parts['open']}{text[:-dropped]}\n[{later} later characters omitted]{parts['close']}"
    earlier = int(parts["earlier"] or 0) + dropped
    return f"{parts['open']}[{earlier} earlier characters omitted]\n{text[dropped:]}{parts['close']}"


def _fenced(data: Any) -> Iterator[tuple[Any, Any]]:
    """Where fenced texts are: the container, and the key or index in it."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        if isinstance(item, str):
            if _FENCED.fullmatch(item):
                yield data, key
        else:
            yield from _fenced(item)


def _lists(data: Any) -> Iterator[list[Any]]:
    """All lists that are not empty."""
    if isinstance(data, list) and data:
        yield data
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _lists(item)
