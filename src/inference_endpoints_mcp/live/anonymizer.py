"""Replaces personal details by placeholders such as `<name-1>`: the same detail by the same one, everywhere.

Nothing is recognized as personal. The other way round, a text stays only where it is known to be public: a time, a
short number, or a word of the service, such as a state or an instance type. Whatever a service adds is replaced too.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic.alias_generators import to_camel

from inference_endpoints.models import InferenceEndpointStatus, InferenceEndpointType
from inference_endpoints.models.account import CALL, MANAGE, READ
from inference_endpoints.models.api_model import ApiModel
from inference_endpoints.models.settings.literals import Accelerator, EndpointTask, Framework, ScalingMetric

ITEMS_SHOWN = 3
LINES_SHOWN = 5
LARGEST_COUNT = 100_000
"""A number above it may identify someone, unless its key is one of a measurement that we know."""
MIN_NAME_LENGTH = 3
"""A shorter name is too common to be searched in other text."""

_WORDS = (
    *InferenceEndpointStatus,
    *InferenceEndpointType,
    *(word for literal in (EndpointTask, Framework, Accelerator, ScalingMetric) for word in get_args(literal)),
    *("downloading", "pulling", "terminating", "stopped", "available", "not_available", "deprecated"),
    *("debug", "info", "warning", "error", "critical", "stdout", "stderr"),
    *("user", "org", "access_token", "oauth", "read", "write", "fineGrained"),
    *(READ, MANAGE, CALL),
    *("FORBIDDEN", "BAD_REQUEST", "UNAUTHORIZED", "SERVICE_UNAVAILABLE", "NOT_FOUND", "CONFLICT"),
    "-",
)
_PUBLIC = re.compile(
    r"|p?\d{1,3}(\.\d{1,4})?|\dxx"  # a status or a percentile
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?"
)
_KEY = re.compile(r"_?[a-z][A-Za-z0-9_]{0,40}")
_SERVICE_WORD = re.compile(r"[a-z]{2,20}([A-Z][a-z]{1,15}){0,3}")
_MAPS = frozenset({"env", "secrets", "credentials", "headers", "labels", "tags"})
"""Objects whose keys the user chose."""
_ID_KEY = re.compile(r"_?id|.*(Id|Ids|_id)")
_NAME_KEY = re.compile(r"name|fullname|.*Name|user|username|namespace|endpoint|owner|author|repository|repoId|domain")
_KINDS = (
    ("token", re.compile(r"(hf|api_org)_\w{8,}|.*\b(Bearer|Basic) .*", re.IGNORECASE)),
    ("email", re.compile(r"[^\s@]+@[^\s@]+")),
    ("url", re.compile(r"[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE)),
    ("id", re.compile(r"[0-9a-f]{24}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)),
)


class Anonymizer:
    """Placeholders for one report. `words` are public besides those that it knows."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._words = {*_WORDS, *words}
        self._published: set[str] = set()
        self._keys = _known_keys()
        self._placeholders: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def publish(self, value: Any) -> None:
        """Keep all text of an answer that everybody gets, except what was replaced before."""
        if isinstance(value, str):
            self._published.add(value)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self.publish(inner)

    def data(self, value: Any, key: str = "") -> Any:
        """An answer with placeholders. Of a list the first items are shown, and how many more there are."""
        if isinstance(value, dict):
            return {self._key(name, key): self.data(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            more = [f"and {len(value) - ITEMS_SHOWN} more"] if len(value) > ITEMS_SHOWN else []
            return [self.data(inner, key) for inner in value[:ITEMS_SHOWN]] + more
        if isinstance(value, str):
            return self.text(value, key)
        is_id = _ID_KEY.fullmatch(key) is not None
        if value is None or abs(value) <= LARGEST_COUNT or (key in self._keys and not is_id):
            return value
        return self._placeholder("id" if is_id else "number", str(value))

    def text(self, text: str, key: str = "") -> str:
        """A text, or the placeholder for it. The parts of `owner/model` have one each."""
        if self._is_public(text, key):
            return text
        kind = _kind(text, key)
        if kind == "name" and 1 <= text.count("/") <= 2:
            return "/".join(self._placeholder(kind, part) for part in text.split("/"))
        return self._placeholder(kind, text)

    def lines(self, text: str) -> list[str]:
        """The first lines of a text. What begins a line in public words, such as its time, stays."""
        lines = text.splitlines()
        more = [f"and {len(lines) - LINES_SHOWN} more"] if len(lines) > LINES_SHOWN else []
        return [self._line(line) for line in lines[:LINES_SHOWN]] + more

    def path(self, steps: Iterable[str | int]) -> str:
        """`$.items[].name`: a place in an answer."""
        path, above = "$", ""
        for step in steps:
            path += "[]" if isinstance(step, int) else f".{self._key(step, above)}"
            above = above if isinstance(step, int) else step
        return path

    def release(self, value: Any) -> None:
        """Keep an unknown member of an enumeration from now on: a word that was found in no name may be a new one of
        the service."""
        is_word = isinstance(value, str) and _SERVICE_WORD.fullmatch(value)
        if is_word and self._placeholders.get(value, "").startswith("<text-"):
            del self._placeholders[value]
            self._words.add(value)

    def sentence(self, sentence: str) -> str:
        """A sentence of ours without the names that were replaced elsewhere."""
        names = sorted((name for name in self._placeholders if len(name) >= MIN_NAME_LENGTH), key=len, reverse=True)
        if not names:
            return sentence
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)"
        return re.sub(pattern, lambda found: self._placeholders[found[0]], sentence)

    def _key(self, key: str, above: str) -> str:
        if above in _MAPS or not _KEY.fullmatch(key):
            return self._placeholder("key", key)
        return key if key in self._keys or not self._is_personal(key) else self._placeholder("key", key)

    def _line(self, line: str) -> str:
        begun, rest = "", line
        while (word := re.match(r"\S+\s*", rest)) and self._begins_line(word[0].strip()):
            begun, rest = begun + word[0], rest[word.end() :]
        return begun + (self.text(rest) if rest.strip() else "")

    def _begins_line(self, word: str) -> bool:
        return self._is_public(word) or word.lower() in self._words

    def _is_public(self, text: str, key: str = "") -> bool:
        """A name is public only where everybody gets it: someone may be called as a word of the service."""
        is_name = _NAME_KEY.fullmatch(key) is not None
        if text in self._words and not is_name:
            return True
        is_known = text in self._published or (not is_name and _PUBLIC.fullmatch(text) is not None)
        return is_known and not self._is_personal(text)

    def _is_personal(self, text: str) -> bool:
        """Whether it is, or has as a word, what was replaced before."""
        parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if len(part) >= MIN_NAME_LENGTH]
        return text in self._placeholders or any(part in self._placeholders for part in parts)

    def _placeholder(self, kind: str, text: str) -> str:
        if text not in self._placeholders:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._placeholders[text] = f"<{kind}-{number}>"
        return self._placeholders[text]


def _known_keys() -> frozenset[str]:
    """The keys of all our models: they are of the service, whatever somebody is called."""
    models, known = [ApiModel], set[str]()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        known |= {field.alias or to_camel(name) for name, field in model.model_fields.items()}
    return frozenset(known)


def _kind(text: str, key: str) -> str:
    for kind, pattern in _KINDS:
        if pattern.fullmatch(text):
            return kind
    if _is_address(text):
        return "address"
    if key.lower().endswith("url"):
        return "url"
    if _NAME_KEY.fullmatch(key):
        return "name"
    return "id" if _ID_KEY.fullmatch(key) else "text"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
