"""Where an answer differs from what is documented.

It is compared with our own models, which require only what cannot be done without, and with the service's document
where there is one.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match
from pydantic import ValidationError

from inference_endpoints.transport.operations import EVENT_STREAM, JSON, Operation
from inference_endpoints_mcp.live.service_document import Schema, ServiceDocument

Path = tuple[str | int, ...]
_KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class Difference:
    """`words` quote nothing of the answer. `value` is an unknown member of an enumeration."""

    path: Path
    words: str
    value: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Comparison:
    """`more` are fields that the document does not have. It does not forbid them, so they are no differences."""

    differences: tuple[Difference, ...] = ()
    more: tuple[Path, ...] = ()


def compare(operation: Operation[Any], answer: Any, document: ServiceDocument | None) -> Comparison:
    """Compare an answer; of a stream of events, what one event carries."""
    if operation.media_type == EVENT_STREAM:
        return _compare_event(operation, answer, document)
    if (operation.media_type == JSON) is isinstance(answer, str):
        return Comparison((Difference((), f"is not {operation.media_type}"),))
    differences = _unlike_model(operation, answer)
    schema = document.answer_schema(operation) if document else None
    if document is None or schema is None:
        return Comparison(_once(differences))
    unlike = list(_unlike_schema(answer, document.whole(schema)))
    more = () if unlike else tuple(dict.fromkeys(_undocumented(answer, document.closed(schema))))
    return Comparison(_once([*unlike, *differences]), more)


def _compare_event(operation: Operation[Any], data: str, document: ServiceDocument | None) -> Comparison:
    schema = document.answer_schema(operation) if document else None
    if document is None or schema is None:
        return Comparison(_once(_unlike_model(operation, data)))
    try:
        return Comparison(_once(_unlike_schema(json.loads(data), document.whole(schema))))
    except ValueError:
        return Comparison((Difference((), "the data of an event is not JSON"),))


def _once(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Each difference once, whatever the item of a list."""
    found: dict[tuple[Path, str], Difference] = {}
    for one in differences:
        found.setdefault((_of_all_items(one.path), one.words), one)
    return tuple(found.values())


def _of_all_items(path: Iterable[str | int]) -> Path:
    return tuple(0 if isinstance(step, int) else step for step in path)


def _unlike_model(operation: Operation[Any], answer: Any) -> list[Difference]:
    try:
        operation.parse(answer)
    except ValidationError as error:
        return [
            Difference(one["loc"], "is missing" if one["type"] == "missing" else one["msg"].removeprefix("Input "))
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    return []


def _unlike_schema(answer: Any, schema: Schema) -> Iterator[Difference]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(answer):
        cause = best_match([error]) or error  # of an image: that of the variant that was meant
        path, documented = tuple(cause.absolute_path), cause.validator_value
        match cause.validator:
            case "required" if isinstance(cause.instance, dict):
                yield from (
                    Difference((*path, name), "is missing") for name in documented if name not in cause.instance
                )
            case "type":
                kinds = documented if isinstance(documented, str) else " or ".join(documented)
                yield Difference(path, f"is {_KINDS.get(type(cause.instance), 'null')}, documented is {kinds}")
            case "enum" | "const":
                yield Difference(path, "is not a documented value", cause.instance)
            case _:
                yield Difference(path, f"does not fit the documented {cause.validator}")


def _undocumented(answer: Any, closed: Schema) -> Iterator[Path]:
    """The fields that an answer has and a closed schema has not."""
    for error in jsonschema.Draft202012Validator(closed).iter_errors(answer):
        cause = best_match([error]) or error
        if cause.validator == "additionalProperties":
            path = _of_all_items(cause.absolute_path)
            yield from ((*path, name) for name in cause.instance if name not in cause.schema.get("properties", {}))
