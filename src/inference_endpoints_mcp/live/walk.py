"""Calls every operation that only reads, once, and compares each answer with what is documented.

It changes nothing and wakes no endpoint: it sends no call to an endpoint's own address, and starts no debugger.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import anyio
from pydantic import ValidationError

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import InferenceEndpointStatus, MetricsRequest, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.operations import EVENT_STREAM, OPERATIONS, Operation, Request
from inference_endpoints.transport.service import Service
from inference_endpoints_mcp.live.comparison import Comparison, compare
from inference_endpoints_mcp.live.service_document import ServiceDocument

STREAM_TIME_S = 3.0
"""How long a stream may take until its first event."""

_FIRST = (operations.WHOAMI, operations.PUBLIC_HARDWARE, operations.LIST, operations.CATALOGUE)
"""Others need what these answer."""
_NOT_CALLED = {operations.DEBUG: "it would start the service's debugger"}
READING: tuple[Operation[Any], ...] = (
    *_FIRST,
    *(one for one in OPERATIONS if one.effect is Effect.READS and one.service is not Service.HUB and one not in _FIRST),
)
"""Every operation of Inference Endpoints that only reads, and `whoami`, in the order in which they are called."""
_QUERIES: dict[Operation[Any], dict[str, str | int]] = {
    operations.LIST: {"limit": 20},
    operations.SEARCH: {"limit": 5},
    operations.AUDIT_LOGS: {"limit": 10},
    operations.LOGS: {"limit": 20},
    operations.FOLLOW_LOGS: {"tail": 1},
    operations.LOGS_V2: {"tail": 20},
    operations.FOLLOW_LOGS_V2: {"tail": 1},
    operations.CATALOGUE: {"limit": 3},
}


class Result(StrEnum):
    AS_DOCUMENTED = "as documented"
    DIFFERS = "differs"
    REFUSED = "refused"
    NO_ANSWER = "no answer"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class OperationOutcome:
    """What one operation answered. `why` is a sentence of ours, without names; `answer` is None where there is none."""

    operation: Operation[Any]
    result: Result
    why: str = ""
    comparison: Comparison = field(default_factory=Comparison)
    answer: Any = None

    @property
    def request(self) -> str:
        return f"{self.operation.method} {self.operation.documented_path}"


class Walk:
    """The calls on one namespace. The service's logs and metrics are those of one endpoint, a running one if there is.

    `on_progress` gets the operations in turn, before each is called.
    """

    def __init__(
        self,
        client: AsyncEndpointsClient,
        namespace: str,
        document: ServiceDocument | None = None,
        on_progress: Callable[[Operation[Any]], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._document = document
        self._on_progress = on_progress
        self._known: dict[str, str] = {"namespace": namespace}
        self._missing = {
            "name": "the endpoints could not be listed",
            "repository": "the catalogue could not be listed",
        }

    async def run(self) -> list[OperationOutcome]:
        outcomes = []
        for operation in READING:
            self._on_progress(operation)
            outcome = await self._outcome_of(operation)
            self._learn(outcome)
            outcomes.append(outcome)
        return outcomes

    async def _outcome_of(self, operation: Operation[Any]) -> OperationOutcome:
        if reason := self._reason_not_to_call(operation):
            return OperationOutcome(operation, Result.NOT_TRIED, reason)
        request = self._request(operation)
        try:
            if operation.media_type == EVENT_STREAM:
                return await self._follow(request)
            answer = await self._client.http.send(request, replace(operation, returns=Any))
        except InferenceEndpointError as error:
            return self._refused(operation, error)
        return self._compared(operation, answer)

    def _reason_not_to_call(self, operation: Operation[Any]) -> str:
        if operation in _NOT_CALLED:
            return _NOT_CALLED[operation]
        needed = ["repository"] if operation is operations.SUGGESTION else _parameters(operation)
        unknown = [name for name in needed if name not in self._known]
        return self._missing.get(unknown[0], f"no {unknown[0]} is known") if unknown else ""

    def _request(self, operation: Operation[Any]) -> Request:
        arguments = {name: self._known[name] for name in _parameters(operation)}
        query, now = dict(_QUERIES.get(operation, {})), datetime.now(UTC)
        if operation is operations.SUGGESTION:
            query["model_id"] = self._known["repository"]
        if operation is operations.DOWNLOAD_LOGS:
            query["since"] = rfc3339(now - timedelta(minutes=10))
        start, stop = (rfc3339(moment, "milliseconds") for moment in (now - timedelta(hours=1), now))
        body = MetricsRequest(start=start, stop=stop) if operation.method == "POST" else None
        request = operation.build(query=query, body=body, **arguments)
        # Messages name the endpoint as the document does.
        return replace(request, subject="/".join(f"{{{name}}}" for name in arguments))

    async def _follow(self, request: Request) -> OperationOutcome:
        """Listen to a stream until its first event. A stream that brings none is as documented, too."""
        operation, opened = request.operation, False
        with anyio.move_on_after(STREAM_TIME_S) as limit:
            async with self._client.http.stream_events(request) as events:
                opened = True
                async for data in events:
                    return self._compared(operation, data)
        if not opened:
            return OperationOutcome(operation, Result.NO_ANSWER, f"the stream did not open in {STREAM_TIME_S:g} s")
        waited = (
            f"no event came in {STREAM_TIME_S:g} s" if limit.cancelled_caught else "the stream ended without an event"
        )
        return OperationOutcome(operation, Result.AS_DOCUMENTED, waited)

    def _compared(self, operation: Operation[Any], answer: Any) -> OperationOutcome:
        comparison = compare(operation, answer, self._document)
        result = Result.DIFFERS if comparison.differences else Result.AS_DOCUMENTED
        return OperationOutcome(operation, result, comparison=comparison, answer=answer)

    def _refused(self, operation: Operation[Any], error: InferenceEndpointError) -> OperationOutcome:
        if error.status is None:
            return OperationOutcome(operation, Result.NO_ANSWER, error.message)
        why = f"{error.status} {error.code}: {error.message}"
        documented = self._document is not None and self._document.has_status(operation, error.status)
        return OperationOutcome(operation, Result.AS_DOCUMENTED if documented else Result.REFUSED, why)

    def _learn(self, outcome: OperationOutcome) -> None:
        """Take the names from an answer that later calls need."""
        operation, answer = outcome.operation, outcome.answer
        if answer is None or operation not in {operations.LIST, operations.CATALOGUE}:
            return
        try:
            items = operation.parse(answer).items
        except ValidationError:
            return  # the outcome shows how it differs
        if operation is operations.CATALOGUE:
            self._missing["repository"] = "the catalogue is empty"
            if items:
                self._known["repository"] = items[0].repo_id
        else:
            self._missing["name"] = "the namespace has no endpoint"
            running = [item for item in items if item.state is InferenceEndpointStatus.RUNNING]
            if items:
                self._known["name"] = (running or items)[0].name


def _parameters(operation: Operation[Any]) -> list[str]:
    """The names of the path's parameters."""
    return re.findall(r"{(\w+)}", operation.path)
