"""The token of the person at this machine, where none is given."""

import os
from pathlib import Path


def hugging_face_token() -> str | None:
    """The token in HF_TOKEN, else the one `hf auth login` saved (locations: huggingface_hub 2.4.0, `constants.py`).

    A variable or a file only: what stands on a command line can be read by others.
    """
    given = os.environ.get("HF_TOKEN", "").strip()
    if given:
        return given
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    path = Path(os.environ.get("HF_TOKEN_PATH") or Path(os.environ.get("HF_HOME") or cache) / "token")
    try:
        return path.read_text("utf-8").strip() or None
    except OSError:
        return None
