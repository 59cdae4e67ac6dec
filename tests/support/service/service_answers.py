"""Answers that the service's document allows, as hypothesis generates them.

schemathesis generates from schemas too, but it needs minutes for the graphs, whose schemas are combined from others.
"""

from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.support.service.service_document import service_document

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT32 = 2**31 - 1
LATER = {"ofALaterService": {"deep": [1, None]}}
"""A property that the document does not have yet."""


def answers(schema: dict[str, Any]) -> SearchStrategy[Any]:
    """Any value that the schema allows, and what a later service may add: a further property or member of an enum."""
    if "$ref" in schema:
        return _named(schema["$ref"])
    if "oneOf" in schema:
        return st.one_of([answers(one) for one in schema["oneOf"]])
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), TEXT.filter(bool))
    if "allOf" in schema or "properties" in schema:
        return _objects(*service_document().object_properties(schema))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_kind(kind, schema) for kind in kinds])


@cache
def _named(reference: str) -> SearchStrategy[Any]:
    return answers(service_document().resolved({"$ref": reference}))


def _of_kind(kind: str, schema: dict[str, Any]) -> SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -INT32), INT32)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False, width=32)
        case "string" if schema.get("format") == "date-time":
            return _moments()
        case "string":
            return TEXT
        case "array":
            return st.lists(answers(schema["items"]), max_size=2)
        case "object":
            return st.dictionaries(TEXT, answers(schema.get("additionalProperties", {"type": "string"})), max_size=2)
    raise AssertionError(f"the document has a type that is not known here: {kind}")


def _moments() -> SearchStrategy[str]:
    """RFC 3339 with up to nine digits of a second, as the service sends them."""
    fractions = st.one_of(st.just(""), st.integers(0, 10**9 - 1).map(lambda digits: f".{digits:09d}"))
    moments = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
    return st.builds("{}{}Z".format, moments, fractions)


def _objects(properties: dict[str, Any], required: set[str]) -> SearchStrategy[dict[str, Any]]:
    values = {name: answers(schema) for name, schema in properties.items()}
    known = st.fixed_dictionaries(
        {name: value for name, value in values.items() if name in required},
        optional={name: value for name, value in values.items() if name not in required},
    )
    return st.builds(dict.__or__, known, st.sampled_from([{}, LATER]))
