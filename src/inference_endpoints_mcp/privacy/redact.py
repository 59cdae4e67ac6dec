"""The one redactor: what looks like a secret leaves this process nowhere.

Secrets are known by value (the configured token, what the operator lends), by shape (tokens of well-known services,
bearer headers, credentials in a URL) or by the name they stand under.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"

_SHAPES = (
    re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}\b"),  # Hugging Face
    re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic and others
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})\b"),  # GitHub
    re.compile(r"(?<=bearer )[A-Za-z0-9._~+/-]{12,}=*", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_NAMES = re.compile(
    r"(?:^|[_-])(?:tokens?|secrets?|[a-z]*passw(?:or)?ds?|pass|passphrase|pwd|credentials?|keys?|auth)(?:$|[_-])",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PLAIN = {"true", "false", "none", "null", "on", "off", "yes", "no"}
_SEALED = {"plan_token"}
"""A name of ours: its value is made to be handed back by whoever reads it."""
SHORTEST = 8
"""Characters below which a value is too common to be masked wherever it stands."""


class Redactor:
    """Masks secrets in text and in plain data, but no value shorter than `SHORTEST`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        for value in secrets:
            self.add(value)

    def add(self, value: str | None) -> None:
        """Have this exact value masked from now on."""
        if value and len(value) >= SHORTEST:
            self._values.add(value)

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        return text

    def data(self, value: Any) -> Any:
        """The same data with every string masked where it shows a secret, or stands under a secret's name."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._under(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value

    def suspects(self, name: str, value: str) -> bool:
        """Whether a value looks like a secret, by itself or by the name it stands under."""
        return bool(self._under(name, value) != value)

    def _under(self, name: str, value: Any) -> Any:
        named = name not in _SEALED and _NAMES.search(_HUMP.sub("_", name))
        if not isinstance(value, str) or not value or not named:
            return self.data(value)
        counts = value.isdecimal() and len(value) < SHORTEST  # MAX_TOTAL_TOKENS=4096
        return value if counts or value.lower() in _PLAIN else MASK


class RedactingFilter(logging.Filter):
    """Redacts log records, their arguments and tracebacks included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self._redactor.text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
