"""Mask everything that looks like a secret before it leaves the process.

A secret is recognized by its value (`known_secrets.py`), by its pattern (`secret_patterns.py`) or by its name
(`secret_names.py`).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from inference_endpoints_mcp.privacy.known_secrets import MASK as MASK
from inference_endpoints_mcp.privacy.known_secrets import MIN_SECRET_LENGTH as MIN_SECRET_LENGTH
from inference_endpoints_mcp.privacy.known_secrets import KnownSecrets

MOST_REMEMBERED, LONGEST_REMEMBERED = 4_096, 256
"""Texts without a secret that are remembered, and the characters of one."""


class Redactor:
    """Masks secrets in text and in plain data. A value shorter than `MIN_SECRET_LENGTH` is not recognized.

    Most short texts come again with every answer: names of fields, states, rows that did not change. One in which
    nothing was found is searched once, until another secret is known. No text that has a secret is remembered.

    What `parent` masks is masked too, also secrets that are added to it later. The secrets of one caller are in a
    redactor of their own: what is masked for another tells nothing of them.
    """

    def __init__(self, secrets: Iterable[str] = (), *, parent: "Redactor | None" = None) -> None:
        self._known = KnownSecrets()
        self._parent = parent
        self._harmless = set[str]()
        for value in secrets:
            self.add(value)

    def add(self, value: str | None) -> None:
        """Mask this value from now on, in whatever form."""
        if value:
            self._known.add(value)
            self._harmless = set()

    def forget(self, value: str) -> None:
        """Take back one `add` of this value."""
        self._known.forget(value)

    def text(self, text: str) -> str:
        if self._parent is not None:
            return self._parent.text(self._known.mask(text))
        harmless = self._harmless  # a search that began before another secret was known adds to the set of that time
        if text in harmless:
            return text
        masked = text
        for mask in (self._known.mask, *_detectors()):
            masked = mask(masked)
        if masked == text and len(text) <= LONGEST_REMEMBERED:
            if len(harmless) >= MOST_REMEMBERED:
                harmless.clear()
            harmless.add(text)
        return masked

    def lines(self, lines: Sequence[str]) -> list[str]:
        """Lines of one text, of which a secret may span several: as many as before."""
        joined = self.text("\n".join(line.replace("\n", " ") for line in lines))
        return joined.split("\n") if lines else []

    def data(self, value: Any) -> Any:
        """The same data, in which every string is masked that contains a secret or has a secret's name as its key."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._redact_named(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return self._redact_list(value)
        return value

    def is_suspicious(self, name: str, value: str) -> bool:
        """Whether a value looks like a secret, by itself or by its name."""
        return bool(self._redact_named(name, value) != value)

    def _redact_named(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return MASK if _secret_names().is_secret(name, value) else self.text(value)
        if isinstance(value, list) and _secret_names().is_secret_name(name):
            return [self._redact_named(name, item) for item in value]
        return self.data(value)

    def _redact_list(self, items: Sequence[Any]) -> list[Any]:
        if items and all(isinstance(item, str) for item in items):
            items = _secret_names().mask_arguments(items)
        return [self.data(item) for item in items]


@cache
def _detectors() -> tuple[Callable[[str], str], ...]:
    """What finds unknown secrets. Imported with the first text: a start of the server has none."""
    from inference_endpoints_mcp.privacy.secret_patterns import mask_patterns

    return mask_patterns, _secret_names().mask_names


@cache
def _secret_names() -> ModuleType:
    from inference_endpoints_mcp.privacy import secret_names

    return secret_names


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
