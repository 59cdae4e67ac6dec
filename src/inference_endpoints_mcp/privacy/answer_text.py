"""The types of all text in answers: each type says where its text comes from, and how it was made safe.

Text that a service, a container or a model chose is either a short line, cleaned and cut here, or fenced. What we wrote
ourselves is `Ours`. A test walks all outputs and fails on any other string.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from inference_endpoints_mcp.privacy.untrusted_text import clean_line

LONGEST_OF_OURS = 2_000
LONGEST_ARGUMENT = 512
"""Characters of a text in an argument of a proposed call, such as a repository."""


@dataclass(frozen=True)
class Line:
    """Marks a string as a short line: it is cleaned, and cut to `limit` characters."""

    limit: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.clean, handler(source))

    def clean(self, text: str) -> str:
        return clean_line(text, self.limit)


class OwnSentence(Line):
    """Marks a sentence of ours. Names in it are cleaned as lines, and so is the whole."""


class FencedMark:
    """Marks a text as fenced."""


@dataclass(frozen=True)
class Lines:
    """Marks plain data of others: each text in it, also a name, is cleaned and cut as a line."""

    limit: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.clean, handler(source))

    def clean(self, value: Any) -> Any:
        return map_texts(value, lambda text: clean_line(text, self.limit))


class UnchangedMark:
    """Marks data that is of use only unchanged, such as the arguments of a call: whoever fills it in keeps only what
    `is_plain`."""


def _check_fence(text: str) -> str:
    if not _FENCE.fullmatch(text):
        raise ValueError("this text is not fenced")
    return text


_FENCE = re.compile(r'<(untrusted-[0-9a-f]{12}) source="[^"<>]*">\n.*\n</\1>', re.DOTALL)

Ours = Annotated[str, OwnSentence(LONGEST_OF_OURS)]
Word = Annotated[str, Line(64)]
Name = Annotated[str, Line(130)]
Cursor = Annotated[str, Line(500)]
ShortLine = Annotated[str, Line(200)]
RepositoryLine = Annotated[str, Line(512)]
Fenced = Annotated[str, AfterValidator(_check_fence), FencedMark()]
LinesOfData = Annotated[dict[str, Any], Lines(200)]
Unchanged = Annotated[dict[str, Any], UnchangedMark()]


def map_texts(value: Any, change: Any) -> Any:
    """The same data with every string changed, also the names."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(name)): map_texts(item, change) for name, item in value.items()}
    return [map_texts(item, change) for item in value] if isinstance(value, list | tuple) else value


def is_plain(value: Any, limit: int = LONGEST_ARGUMENT) -> bool:
    """Whether every text in the data is a short line already, so that it can be shown unchanged."""
    return bool(map_texts(value, lambda text: clean_line(text, limit)) == value)
