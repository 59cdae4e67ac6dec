"""The Hugging Face token of this machine, and the form a token must have."""

import os
import re
from pathlib import Path

from inference_endpoints.errors import Unauthorized

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""The form of a token behind `Bearer` (RFC 6750, section 2.1)."""
_PLACEHOLDER = re.compile(r"\$|%.*%$|[<{\[]")


def hugging_face_token() -> str | None:
    """The token in HF_TOKEN, else the one `hf auth login` saved (locations: huggingface_hub 2.4.0, `constants.py`).

    Some hosts of MCP servers pass on the text `${HF_TOKEN}` where the user has no such variable. A saved token wins
    over that.

    There is no command-line argument for it: other users of the machine can read the command line.
    """
    token = _from_variable()
    return _saved() or token if token is None or _PLACEHOLDER.match(token) else token


def validated_token(token: str) -> str:
    """The token without surrounding white space. Raises `Unauthorized` if it is malformed; its value is not shown."""
    token = token.strip()
    problem = malformation(token)
    if problem is None:
        return token
    raise Unauthorized(
        f"The token {_source_of(token)} is malformed: {problem}. Nothing was sent.",
        hint="Set the token itself; tokens of Hugging Face start with hf_.",
    )


def malformation(token: str) -> str | None:
    """What is wrong with the form of a token; None for one that can be sent. Its value is not in the answer.

    >>> malformation("${HF_TOKEN}")
    'it is a placeholder'
    """
    if _TOKEN.fullmatch(token):
        return None
    if not token:
        return "it is empty"
    if _PLACEHOLDER.match(token):
        return "it is a placeholder"
    if any(character.isspace() for character in token):
        return "it contains a space or a line break"
    return "it contains a character that no token has"


def _from_variable() -> str | None:
    return os.environ.get("HF_TOKEN", "").strip() or None


def _saved() -> str | None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    path = Path(os.environ.get("HF_TOKEN_PATH") or Path(os.environ.get("HF_HOME") or cache) / "token")
    try:
        return path.read_text("utf-8", "replace").strip() or None
    except OSError:
        return None


def _source_of(token: str) -> str:
    if token == _from_variable():
        return "in HF_TOKEN"
    return "that `hf auth login` saved" if token == _saved() else "that was given"
