"""Turns pydantic's errors about a request into one `BadRequest`, which names the settings and never a value."""

from collections.abc import Callable, Iterator
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
}
_KEYED_BY_CALLERS = frozenset({"env", "secrets", "image"})


def validated(make: Callable[[], T]) -> T:
    """The result of `make`. Raises `BadRequest` where pydantic refuses it."""
    try:
        return make()
    except ValidationError as error:
        problems = "; ".join(dict.fromkeys(_problems(error)))
        raise BadRequest(f"The request is not valid, so nothing was sent: {problems}.") from error


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        setting: list[str] = []
        for part in problem["loc"]:
            if isinstance(part, int) or _KEYED_BY_CALLERS.intersection(setting):
                break
            setting.append(part)
        # Wrong items of a list are reported as one problem of the list.
        items = "holds texts only" if len(setting) < len(problem["loc"]) and problem["type"] == "string_type" else None
        yield f"{'.'.join(setting)} {items or _RULES.get(problem['type'], problem['msg'])}".strip()
