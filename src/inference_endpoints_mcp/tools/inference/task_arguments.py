"""What the arguments of a call give to a model, and which task that means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.tasks.engine_request import OPENAI_ENGINES
from inference_endpoints.inference.tasks.routes import EngineRoute
from inference_endpoints.inference.tasks.table import find_route, find_task
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints.models import Endpoint

_ROUTE_BY_MEMBER = {
    "messages": "/v1/chat/completions",
    "prompt": "/v1/completions",
    "documents": "/v1/rerank",
    "input": "/v1/embeddings",
}
"""The route of the OpenAI API for a body with this member."""


@dataclass(frozen=True)
class InputArguments:
    """The arguments of a call that say what the model gets."""

    text: str
    texts: list[str]
    inputs: Sequence[Any]
    body: dict[str, Any]
    parameters: dict[str, Any]
    path: str
    file: bytes | None = None
    """The content of the one file that a container of its own gets."""

    def check(self) -> None:
        """Raises `BadRequest` unless exactly one of text, texts, inputs and body is given, and the path is a route."""
        given = [self.text, self.texts, self.inputs, self.body]
        if [bool(each) for each in given].count(True) != 1:
            raise BadRequest("Give exactly one of text, texts, inputs and body: nothing was sent.")
        path = self.path
        leaves = path.startswith("//") or ".." in path or "\\" in path
        if path and (not path.startswith("/") or leaves or not path.isprintable()):
            raise BadRequest("path is not a route of an endpoint.", hint="It starts with '/', e.g. /v1/embeddings.")

    def fingerprint(self) -> object:
        """What a repetition of the call has in common with it, as JSON."""
        return [self.text, self.texts, self.inputs, self.body, self.parameters, self.path]

    def each(self) -> Sequence[Any]:
        """The inputs of a task: texts, or objects with the parts of one input."""
        return [self.text] if self.text else self.texts or self.inputs

    def whole_body(self) -> dict[str, Any]:
        """The body of a request that no task is known for. Raises `BadRequest` if parameters cannot be added to it."""
        body = self.body or {"inputs": self.text or self.texts or _single(self.inputs)}
        if not self.parameters:
            return body
        own = body.get("parameters", {})
        if not isinstance(own, dict):
            raise BadRequest("parameters in body is not an object: nothing was sent.", hint="Use body or parameters.")
        return body | {"parameters": own | self.parameters}

    def inputs_in_body(self) -> int:
        """How many inputs a whole body has: a list of texts, or of lists with one text each, is several."""
        given = next((self.body[name] for name in ("inputs", "input", "prompt") if name in self.body), None)
        return len(given) if isinstance(given, list) and all(isinstance(one, str | list) for one in given) else 1

    def body_path(self, endpoint: Endpoint) -> str:
        """The route for a whole body: the one that is named, or the one that an engine without `POST /` has for it."""
        if self.path or engine_name(endpoint.model) not in OPENAI_ENGINES:
            return self.path or "/"
        return next((path for member, path in _ROUTE_BY_MEMBER.items() if member in self.body), "/")


def meant_task(endpoint: Endpoint, path: str) -> tuple[Task, EngineRoute] | None:
    """The task of a path that engines are known for, or that of the endpoint; None for an API of its own."""
    engine = engine_name(endpoint.model)
    if path not in ("", "/"):
        known = find_route(path, engine)
        return (known[0], replace(known[1], path=path)) if known else None
    task = find_task(endpoint.model.task)
    return (task, task.route_on(engine)) if task else None


def _single(items: Sequence[Any]) -> Any:
    return items[0] if len(items) == 1 else items
