"""The outputs of tools: typed fields, with prose only in `now`. Fields that are None are left out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import anyio
from mcp.types import ContentBlock
from pydantic import BaseModel, Field, PrivateAttr

from inference_endpoints.deploy.offers import is_this_machine
from inference_endpoints.deploy.plan import Plan
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.models import Endpoint, rfc3339
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.answer_text import (
    Fenced,
    Name,
    Ours,
    RepositoryLine,
    ShortLine,
    Unchanged,
    Word,
)
from inference_endpoints_mcp.privacy.token_bound import token_bound
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.plan_summary import PlanSummary

if TYPE_CHECKING:
    from inference_endpoints.inference.tasks.task import Task

MAX_NEXT = 2
MAX_MESSAGE_CHARACTERS, MAX_STATE_CHARACTERS = 200, 40
MAX_ROW_TOKENS = 6_800
"""All rows of a list as JSON. The whole output then keeps to the size of an answer."""
MAX_MODEL_OUTPUT_TOKENS = 5_500
"""Longest text of a model in one output. The whole output then keeps to the size of an answer."""

CHAT_TASKS = frozenset({"text-generation", "conversational", "image-text-to-text", "any-to-any"})

BackendName = Literal["huggingface", "local", "simulated"]

STATE_SENTENCES = {
    State.RUNNING: "It is running and can be called.",
    State.PAUSED: "It is paused and not billed. It does not answer until it is resumed.",
    State.SCALED_TO_ZERO: "It is scaled to zero and not billed. The next call wakes it.",
    State.FAILED: "It failed to deploy: see `error` and its logs.",
    State.UPDATE_FAILED: "Its last update failed. The previous configuration may still serve.",
    State.UPDATING: "It is being updated.",
}
"""What a state means for whoever wants to call the endpoint, or pays for it."""


class NextCall(BaseModel):
    """A complete call that is useful next."""

    tool: Word
    arguments: Unchanged = Field(default_factory=dict)


class ToolOutput(BaseModel):
    """Fields of every output: the state now, and at most two calls that are useful next."""

    now: Ours = ""
    next: list[NextCall] = Field(default_factory=list, max_length=MAX_NEXT)
    _meta: dict[str, str] = PrivateAttr(default_factory=dict)
    _blocks: list[ContentBlock] = PrivateAttr(default_factory=list)

    @property
    def meta(self) -> dict[str, str]:
        """Data for the host, sent in `_meta`. No model reads it."""
        return self._meta

    @property
    def blocks(self) -> list[ContentBlock]:
        """Images and sounds, sent after the text."""
        return self._blocks

    def with_blocks(self, blocks: list[ContentBlock]) -> Self:
        """Set `blocks`."""
        self._blocks = blocks
        return self

    def for_host(self, meta: dict[str, str]) -> Self:
        """Set `meta`."""
        self._meta = meta
        return self


class PagedOutput(ToolOutput):
    """Fields of every list: how many rows there are, and where the next page begins."""

    total: int
    next_offset: int | None = None

    def add_next_page_call(self, tool: str, arguments: Mapping[str, Any]) -> Self:
        """Where rows are left, the same call for the next page comes first in `next`."""
        if self.next_offset is not None:
            page = NextCall(tool=tool, arguments={**arguments, "offset": self.next_offset})
            self.next = [page, *self.next][:MAX_NEXT]
        return self


class RefusedNamespace(BaseModel):
    """A namespace without results. `code` is the code of its error; REFUSED where policy excludes it."""

    namespace: Name
    code: Word


RefusedNamespaces = Annotated[list[RefusedNamespace] | None, Field(description="Namespaces without results, and why.")]


class EndpointOutcome(BaseModel):
    """Endpoints with the same state, outcome and costs, as one row. Costs are in USD per hour and for each endpoint."""

    endpoint_names: list[Name]
    namespace: Name | None = Field(default=None, description="Only if the endpoints are in several namespaces.")
    state: Word | None = None
    outcome: Literal["planned", "changed", "unchanged", "refused", "failed", "reached", "waiting"]
    cost_now_usd: float | None = None
    cost_after_usd: float | None = None
    cost_at_most_usd: float | None = Field(default=None, description="Left out where it is cost_after_usd.")
    changes: list[ShortLine] | None = None
    why: Ours | None = None


class EndpointOutput(ToolOutput):
    endpoint_name: Name | None = Field(default=None, description="Missing if the call was for several endpoints.")
    namespace: Name
    state: Word | None = None
    changed: bool | None = Field(default=None, description="Whether this call changed anything.")
    repository: RepositoryLine | None = None
    task: Word | None = None
    ready_replicas: int | None = None
    target_replicas: int | None = None
    min_replica: int | None = None
    max_replica: int | None = None
    scale_to_zero_timeout: int | None = Field(default=None, description="Minutes.")
    hardware: Name | None = None
    price_per_hour_usd: float | None = Field(default=None, description="Per replica.")
    cost_now_per_hour_usd: float | None = None
    url: ShortLine | None = None
    backend: BackendName
    message: Fenced | None = Field(default=None, description="Fenced: from the control plane.")
    chosen: list[Ours] | None = Field(default=None, description="What the server chose, and why.")
    model_facts: list[Ours] | None = Field(default=None, description="The model on the Hub, and the memory it needs.")
    endpoints: list[EndpointOutcome] | None = Field(
        default=None, description="For a call with several endpoints. Those with equal values share a row."
    )
    plan: PlanSummary | None = None
    plan_token: Ours | None = Field(
        default=None, description="Pass it in the same call to carry the plan out. Valid once."
    )


class WaitOutput(EndpointOutput):
    reached: bool
    waited_s: float
    expected_left_s: int | None = Field(default=None, description="By its earlier starts, or those of its size.")
    states_seen: list[Name] = Field(default_factory=list)


def merge_equal_rows(rows: Sequence[EndpointOutcome]) -> list[EndpointOutcome]:
    """Merge rows with equal values. Each merged row has the place of its first."""
    groups: dict[str, list[EndpointOutcome]] = {}
    for row in rows:
        groups.setdefault(row.model_dump_json(exclude={"endpoint_names"}), []).append(row)
    return [
        group[0].model_copy(update={"endpoint_names": [name for row in group for name in row.endpoint_names]})
        for group in groups.values()
    ]


Row = TypeVar("Row", bound=BaseModel)


def fit_rows(rows: Sequence[Row]) -> list[Row]:
    """The first rows that fit into one output."""
    texts = [row.model_dump_json(exclude_none=True) for row in rows]
    if sum(len(text.encode()) for text in texts) <= MAX_ROW_TOKENS:  # no text has more tokens than bytes
        return list(rows)
    room = MAX_ROW_TOKENS
    for index, text in enumerate(texts):
        room -= token_bound(text)
        if room < 0:
            return list(rows[:index])
    return list(rows)


def take_page(rows: Sequence[Row], offset: int, limit: int) -> tuple[list[Row], int | None]:
    """One page, and the offset of the next page; None if this is the last."""
    page = fit_rows(rows[offset : offset + limit])
    following = offset + len(page)
    return page, following if following < len(rows) else None


def backend_of(endpoint: Endpoint | None, backend: str) -> BackendName:
    """Where an endpoint runs: on Hugging Face, as a real process of the operator, or simulated."""
    if backend != LOCAL:
        return "huggingface"
    return "simulated" if endpoint is not None and endpoint.status.engine == "simulated" else "local"


def backend_of_hardware(hardware_id: str, backend: str) -> BackendName:
    """Where this hardware is: a local backend simulates all hardware but this machine."""
    if backend != LOCAL:
        return "huggingface"
    return "local" if is_this_machine(hardware_id) else "simulated"


def trial_call(endpoint: Endpoint, namespace: str) -> NextCall:
    """A call that shows whether an endpoint answers: a chat message, or the example of its task."""
    from inference_endpoints.inference.tasks.table import find_task  # not before a tool needs it: it has all tasks

    if endpoint.model.task in CHAT_TASKS:
        return next_call("chat_with_endpoint", namespace, endpoint.name, message="Hello")
    task = find_task(endpoint.model.task)
    return next_call("call_endpoint", namespace, endpoint.name, **(example_arguments(task) if task else {"text": "Hi"}))


def example_arguments(task: "Task") -> dict[str, Any]:
    """The arguments of call_endpoint for the example of a task."""
    parts = dict(task.example)
    parameters = {"parameters": parts.pop("parameters")} if "parameters" in parts else {}
    return (parts if list(parts) == ["text"] else {"inputs": [parts]}) | parameters


def trial_calls(endpoint: Endpoint, namespace: str) -> list[NextCall]:
    """The same as what is useful next: a simulated endpoint runs no model."""
    return [] if endpoint.status.engine == "simulated" else [trial_call(endpoint, namespace)]


def billing_note(backend: BackendName, price: float | None) -> str:
    """What a start of replicas costs. A simulated price must not look like a real one."""
    if backend == "simulated":
        return "It is simulated: no model runs and nothing is billed."
    if backend == "local":
        costs = "its price is not known" if price is None else f"it costs ${price:g}/h for each replica"
        return (
            f"It runs on your own hardware; {costs}."
            if price != 0
            else "It runs on your own hardware and costs nothing."
        )
    return f"Billing starts now, at ${price:g}/h for each replica." if price else "Billing starts now."


def endpoint_fields(endpoint: Endpoint, namespace: str, prices: Prices | None, backend: str) -> dict[str, Any]:
    """The fields of an endpoint that every output about it has, as arguments of `EndpointOutput`."""
    scaling = endpoint.compute.scaling
    return {
        "endpoint_name": endpoint.name,
        "namespace": namespace,
        "state": state_word(endpoint),
        "repository": endpoint.model.repository,
        "task": endpoint.model.task,
        "ready_replicas": endpoint.status.ready_replica,
        "target_replicas": endpoint.status.target_replica,
        "min_replica": scaling.min_replica,
        "max_replica": scaling.max_replica,
        "scale_to_zero_timeout": scaling.scale_to_zero_timeout,
        "hardware": endpoint.hardware_id,
        "price_per_hour_usd": prices.replica(endpoint) if prices else None,
        "cost_now_per_hour_usd": prices.now(endpoint) if prices else None,
        "url": endpoint.url,
        "backend": backend_of(endpoint, backend),
    }


async def describe_endpoint(
    call: CallContext, endpoint: Endpoint, namespace: str, *, within: float | None = None
) -> dict[str, Any]:
    """`endpoint_fields` with the prices of the namespace, and the message of the service.

    Without the prices if they do not come `within` this many seconds.
    """
    prices = None
    with anyio.CancelScope() if within is None else anyio.move_on_after(within):
        prices = await call.hardware_cache.prices(namespace)
    fields = endpoint_fields(endpoint, namespace, prices, call.endpoints.backend.name)
    message = clean_line(endpoint.status.message or "", MAX_MESSAGE_CHARACTERS)
    return fields | {"message": call.fence.wrap("service", message) if message else None}


def state_word(endpoint: Endpoint) -> str:
    """The state, for a sentence: of a newer service it is in words that nobody here knows."""
    return clean_line(endpoint.state.value, MAX_STATE_CHARACTERS)


def last_used(endpoint: Endpoint) -> str | None:
    """The time of the last call, in RFC 3339."""
    used = endpoint.status.last_used_at
    return rfc3339(used) if used else None


def preview_output(
    backend: str, plan: Plan, namespace: str, name: str, current: Endpoint | None = None
) -> EndpointOutput:
    """The endpoint before a planned change, with the hardware after it."""
    fields: dict[str, Any] = {"endpoint_name": name, "namespace": namespace}
    if current is not None:
        fields = endpoint_fields(current, namespace, None, backend)
    fields |= {"hardware": plan.cost.hardware_id, "backend": backend_of_hardware(plan.cost.hardware_id, backend)}
    return EndpointOutput(**fields, changed=False)


def next_call(tool: str, namespace: str, name: str, **more: Any) -> NextCall:
    """A call of a tool for one endpoint."""
    return NextCall(tool=tool, arguments={"endpoint_name": name, "namespace": namespace, **more})
