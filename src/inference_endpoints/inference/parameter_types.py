"""Checks parameters by their names and types. What an engine has of its own passes; a typing error does not."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

SHORTEST_MISTYPED = 3
"""Characters of the shortest name that counts as a typing error."""


@dataclass(frozen=True)
class ParameterTypes:
    """Types by name. `required` are the parameters that must be given, `members` names inside of structured ones."""

    types: Mapping[str, Any]
    required: tuple[str, ...] = ()
    members: frozenset[str] = frozenset()

    def problem(self, given: Mapping[str, Any]) -> str | None:
        """What is wrong with the first wrong parameter, in our words and without its value; None if nothing is."""
        if not given and not self.required:
            return None
        for name in given.keys() - self.types.keys():
            near = next((known for known in self.types if is_typing_error(name, known)), None)
            if near is not None:
                return f"a parameter is not known, but {near} is"
        try:
            self._model.model_validate(dict(given))
        except ValidationError as error:
            return describe_problem(error, {*self.types, *self.members})
        return None

    @cached_property
    def _model(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            name: (kind, ...) if name in self.required else (kind | None, None) for name, kind in self.types.items()
        }
        return create_model("Parameters", __config__=ConfigDict(extra="allow", hide_input_in_errors=True), **fields)


def describe_problem(error: ValidationError, names: Container[Any]) -> str:
    """The problem deepest in the data, in our words: `messages.0.content: input should be a valid string`.

    Only these names of ours are shown, and never a value.
    """
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    problem = max(problems, key=lambda each: len(each["loc"]))
    where = ".".join(str(part) for part in problem["loc"] if isinstance(part, int) or part in names)
    if problem["type"] == "missing":
        return f"{where} is missing"
    return f"{where or 'the input'}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def is_typing_error(name: str, known: str) -> bool:
    """Whether a name differs from a known one in one letter: left out, added, changed, or two of them exchanged.

    Names that differ more can be parameters of an engine's own: min_new_tokens is none of max_new_tokens.
    """
    if abs(len(name) - len(known)) > 1 or min(len(name), len(known)) < SHORTEST_MISTYPED:
        return False
    start = next((place for place, pair in enumerate(zip(name, known, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return name != known
    left, right = name[start:], known[start:]
    exchanged = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return exchanged or left[1:] == right[1:] or left[1:] == right or left == right[1:]
