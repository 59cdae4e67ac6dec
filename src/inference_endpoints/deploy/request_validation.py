"""Turns pydantic's errors about a request into one `BadRequest`, which names the settings and never a value."""

import difflib
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from pydantic import ValidationError

from inference_endpoints.errors import BadRequest

T = TypeVar("T")

_RULES = {
    "model_type": "is an object",
    "dict_type": "is an object",
    "list_type": "is a list",
    "string_type": "is a text",
    "int_type": "is a whole number, 0 or more",
    "greater_than_equal": "is a whole number, 0 or more",
    "missing": "is missing",
}
_KEYED_BY_CALLERS = frozenset({"env", "secrets", "image"})


def nearest(name: str, known: Collection[str]) -> str:
    """A hint with the names most like one that is not known; empty if none is like it."""
    near = similar(name, known)
    return f"Nearest: {', '.join(near)}." if near else ""


def similar(name: str, known: Collection[str]) -> list[str]:
    """The names most like one that is not known, the nearest first."""
    return difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)


def validated(make: Callable[[], T], *path: str) -> T:
    """The result of `make`, of a request's part at `path`. Raises `BadRequest` where pydantic refuses it."""
    try:
        return make()
    except ValidationError as error:
        problems = "; ".join(dict.fromkeys(_problems(error, path)))
        raise BadRequest(f"The request is not valid, so nothing was sent: {problems}.") from error


def _problems(error: ValidationError, path: tuple[str, ...]) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        setting: list[str] = []
        for part in problem["loc"]:
            if isinstance(part, int) or _KEYED_BY_CALLERS.intersection(setting):
                break
            setting.append(part)
        # Wrong items of a list are reported as one problem of the list.
        items = "holds texts only" if len(setting) < len(problem["loc"]) and problem["type"] == "string_type" else None
        one_of = f"is {problem['ctx']['expected']}" if problem["type"] == "literal_error" else None
        rule = items or one_of or _RULES.get(problem["type"], problem["msg"])
        yield f"{'.'.join((*path, *setting))} {rule}".strip()
