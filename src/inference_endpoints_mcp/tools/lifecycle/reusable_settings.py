"""Settings as they may be shown to be used again: what was masked or cleaned would not be the same any more."""

import json
from dataclasses import dataclass
from typing import Any

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean
from inference_endpoints_mcp.tools.outputs import MAX_PAYLOAD_CHARACTERS


@dataclass(frozen=True)
class Shown:
    """What can be shown; None if it is too long. `left_out` are the paths of what cannot, whose values are needed."""

    settings: dict[str, Any] | None
    left_out: list[str]


def shown(settings: dict[str, Any], redactor: Redactor) -> Shown:
    left_out: list[str] = []
    kept = _kept(settings, redactor.data(settings), "", left_out)
    return Shown(kept if len(json.dumps(kept)) <= MAX_PAYLOAD_CHARACTERS else None, left_out)


def _kept(value: Any, masked: Any, path: str, left_out: list[str]) -> Any:
    if isinstance(value, dict) and isinstance(masked, dict):
        kept = {}
        for key, inner in value.items():
            where = f"{path}.{key}".lstrip(".")
            if _unshowable(key, key) or key not in masked or _unshowable(inner, masked[key]):
                left_out.append(clean(where)[:80])
            else:
                kept[key] = _kept(inner, masked[key], where, left_out)
        return kept
    return value


def _unshowable(value: Any, masked: Any) -> bool:
    """Whether a text, or one in a list, would not be shown as it is."""
    if isinstance(value, list) and isinstance(masked, list):
        return any(_unshowable(one, other) for one, other in zip(value, masked, strict=True))
    return isinstance(value, str) and (value != masked or clean(value) != value)
