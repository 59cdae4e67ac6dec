"""How the values of a request are validated, and refused where they do not fit."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inference_endpoints.models.settings.strict_object import StrictObject

ModelT = TypeVar("ModelT", bound=BaseModel)


class InvalidRequest(ValueError):
    """The request cannot be accepted. The message is the error text of the response, `status` its HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def unknown_variant(path: str, value: Any, expected: Iterable[str]) -> InvalidRequest:
    """The error for a value that is none of an enum, as the service was seen to return it in 2026."""
    names = ", ".join(f"`{one}`" for one in expected)
    return InvalidRequest(
        "Failed to deserialize the JSON body into the target type: "
        f"{path}: unknown variant `{value}`, expected one of {names}",
        status=422,
    )


def parse_as(kind: type[ModelT], value: Any, *path: str) -> ModelT:
    """The validated value. Raises InvalidRequest with the first error and its path below `path`."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    *parents, last = [*path, *(str(part) for part in first["loc"] if part != "[key]")] or [""]
    in_body = issubclass(kind, StrictObject)
    if in_body and first["type"] == "literal_error" and isinstance(first["input"], str):
        expected = re.findall(r"'([^']+)'", first["ctx"]["expected"])
        raise unknown_variant(".".join((*parents, last)), first["input"], expected)
    if first["type"] == "missing":
        where = f"{'.'.join(parents)}: " if parents else ""
        raise InvalidRequest(f"VALIDATION_FAILED: {where}missing field `{last}`")
    reason = first["msg"].removeprefix("Value error, ")
    raise InvalidRequest(f"VALIDATION_FAILED: {'.'.join((*parents, last))}: {reason}")
