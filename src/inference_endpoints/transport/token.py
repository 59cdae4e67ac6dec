"""The token of the person at this machine, where none is given, and what a token can look like."""

import os
import re
from pathlib import Path

from inference_endpoints.errors import Unauthorized

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What may stand behind `Bearer` in a header (RFC 6750, section 2.1)."""
_PLACEHOLDER = re.compile(r"\$|%.*%$|[<{\[]")


def hugging_face_token() -> str | None:
    """The token in HF_TOKEN, else the one `hf auth login` saved (locations: huggingface_hub 2.4.0, `constants.py`).

    A variable or a file only: what stands on a command line can be read by others.
    """
    return _from_variable() or _saved()


def validated_token(token: str) -> str:
    """The token, without white space around it. Raises `Unauthorized` if it cannot be one; its value is not shown."""
    token = token.strip()
    if _TOKEN.fullmatch(token):
        return token
    if not token:
        wrong = "it is empty"
    elif _PLACEHOLDER.match(token):
        wrong = "it is a placeholder that nothing was put in for"
    elif any(character.isspace() for character in token):
        wrong = "there is a space or a line break inside it"
    else:
        wrong = "it has a character that no token has"
    raise Unauthorized(
        f"The token {_source_of(token)} is not one, so nothing was sent: {wrong}.",
        hint="Put the token itself there; those of Hugging Face start with hf_.",
    )


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
    return "that `hf auth login` saved" if token == _saved() else "given"
