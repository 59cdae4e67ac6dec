"""Mask everything that looks like a secret before it leaves the process.

A secret is recognized by its value (the configured token, lent secrets), by its pattern (tokens of well-known services,
bearer headers, credentials in a URL) or by its name.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from inference_endpoints.deploy.plan import MASK as MASK

_PATTERNS = (
    re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}\b"),  # Hugging Face
    re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic and others
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})\b"),  # GitHub
    re.compile(r"(?<=bearer )[A-Za-z0-9._~+/-]{12,}=*", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_SECRET_NAMES = re.compile(
    r"(?:^|[_-])(?:tokens?|secrets?|[a-z]*passw(?:or)?ds?|pass|passphrase|pwd|credentials?|keys?|auth)(?:$|[_-])",
    re.IGNORECASE,
)
_CAMEL_CASE_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HARMLESS_VALUES = {"true", "false", "none", "null", "on", "off", "yes", "no"}
_PUBLIC_NAMES = {"plan_token"}
"""Names that look secret and are not: a plan's token is meant for whoever reads the plan."""
MIN_SECRET_LENGTH = 8
"""A shorter value is too common to be masked in all text."""


class Redactor:
    """Masks secrets in text and in plain data. A value shorter than `MIN_SECRET_LENGTH` is not recognized."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        for value in secrets:
            self.add(value)

    def add(self, value: str | None) -> None:
        """Mask this exact value from now on."""
        if value and len(value) >= MIN_SECRET_LENGTH:
            self._values.add(value)

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        for pattern in _PATTERNS:
            text = pattern.sub(MASK, text)
        return text

    def data(self, value: Any) -> Any:
        """The same data, in which every string is masked that contains a secret or has a secret's name as its key."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._redact_named(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value

    def is_suspicious(self, name: str, value: str) -> bool:
        """Whether a value looks like a secret, by itself or by its name."""
        return bool(self._redact_named(name, value) != value)

    def _redact_named(self, name: str, value: Any) -> Any:
        has_secret_name = name not in _PUBLIC_NAMES and _SECRET_NAMES.search(_CAMEL_CASE_BOUNDARY.sub("_", name))
        if not isinstance(value, str) or not value or not has_secret_name:
            return self.data(value)
        is_count = value.isdecimal() and len(value) < MIN_SECRET_LENGTH  # MAX_TOTAL_TOKENS=4096
        return value if is_count or value.lower() in _HARMLESS_VALUES else MASK


class RedactingFilter(logging.Filter):
    """Redacts log records with their arguments and tracebacks."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self._redactor.text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
