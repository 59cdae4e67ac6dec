"""One task: what it takes and returns. Inputs and parameters are checked before anything is sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.media import UNKNOWN, detect_media_type, is_media_of, media_type_of
from inference_endpoints.inference.parameter_types import ParameterTypes, describe_problem
from inference_endpoints.inference.tasks.inputs import TaskInput
from inference_endpoints.inference.tasks.outputs import Media
from inference_endpoints.inference.tasks.readers import Reader
from inference_endpoints.inference.tasks.routes import EngineRoute
from inference_endpoints.models.json_text import parse_json


@dataclass(frozen=True)
class Task:
    """A task by its name on the Hub.

    `example` are its inputs as a tool takes them: a file is named by its path. `returns` describes one output in words.
    `parameters` are types by name, `required` those that must be given. `route` serves it on every engine but those of
    `routes`. `media` is the kind of files that it returns, if any.
    """

    name: str
    takes: type[TaskInput]
    returns: str
    read: Reader
    example: Mapping[str, Any]
    route: EngineRoute
    parameters: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    routes: Mapping[str, EngineRoute] = field(default_factory=dict)
    media: str = ""

    @property
    def accept(self) -> str:
        """The value of the Accept header. The Inference Toolkit returns files only where their type is asked for."""
        return {"image": "image/png", "audio": "audio/*"}.get(self.media, "application/json")

    def route_on(self, engine: str) -> EngineRoute:
        return self.routes.get(engine, self.route)

    def check(self, inputs: Sequence[Any], parameters: Mapping[str, Any]) -> list[TaskInput]:
        """All inputs, typed, with their parameters. Raises `BadRequest`."""
        self.check_parameters(parameters)
        return [self.check_input(each) for each in inputs]

    def check_input(self, inputs: Any) -> TaskInput:
        """The inputs, typed. One that has a single part may be given as that part. Raises `BadRequest`, which names
        the field and shows a valid example."""
        if isinstance(inputs, TaskInput):
            return inputs
        parts = self.takes.model_fields
        required = [name for name, known in parts.items() if known.is_required()]
        if not isinstance(inputs, Mapping) and len(required) != 1:
            raise BadRequest(
                f"{self.name}: it takes {', '.join(parts)}, each by its name. Nothing was sent.", hint=self._hint
            )
        try:
            return self.takes.model_validate(inputs if isinstance(inputs, Mapping) else {required[0]: inputs})
        except ValidationError as error:
            raise BadRequest(f"{self.name}: {self._describe(error)}. Nothing was sent.", hint=self._hint) from error

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Raises `BadRequest` for a parameter that is missing, has another type, or is nearly the name of a known one.
        Those of an engine's own pass."""
        if problem := self._parameter_types.problem(parameters):
            raise BadRequest(f"{self.name}: {problem}. Nothing was sent.", hint=self._hint)

    def read_response(self, content_type: str, content: bytes, count: int, route: EngineRoute) -> list[Any]:
        """The outputs of a response's body, one for each input. Raises one of `NOT_OF_THIS_TASK`."""
        if self.media and not _is_json(content_type, content):
            if count != 1 or not is_media_of(self.media, content_type, content):
                raise ValueError(f"not of the type {self.media}")
            return [Media(content, _media_type(content_type, content))]
        return (route.read or self.read)(parse_json(content), count)

    @cached_property
    def _parameter_types(self) -> ParameterTypes:
        return ParameterTypes(self.parameters, self.required)

    @property
    def _hint(self) -> str:
        return f"Valid is for example {json.dumps(self.example, ensure_ascii=False)}"

    def _describe(self, error: ValidationError) -> str:
        """The first problem, with its field and without its value."""
        problem, parts = error.errors(include_url=False, include_input=False)[0], self.takes.model_fields
        if problem["type"] == "extra_forbidden":
            return f"it takes {', '.join(parts)}, and something else was given"
        if problem["type"] == "bytes_type":
            return f"{problem['loc'][0]} takes a file as bytes"
        return describe_problem(error, parts)


def _is_json(content_type: str, content: bytes) -> bool:
    declared = content_type.partition(";")[0].strip().lower()
    return declared.endswith("json") and content.lstrip()[:1] in (b"{", b"[", b'"')


def _media_type(content_type: str, content: bytes) -> str:
    detected = detect_media_type(content)
    return media_type_of(content, content_type) if detected == UNKNOWN else detected
