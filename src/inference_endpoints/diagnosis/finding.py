"""A finding: a cause, how likely it is, the evidence for it, and the remedy."""

from dataclasses import dataclass
from enum import StrEnum

from inference_endpoints.deploy.specs import EndpointChange


class Cause(StrEnum):
    """Why an endpoint does not do what is expected of it."""

    IMAGE_PULL = "image_pull_failure"
    GATED_MODEL = "gated_model"
    MISSING_MODEL = "missing_model"
    ACCELERATOR_MEMORY = "out_of_accelerator_memory"
    HOST_MEMORY = "out_of_host_memory"
    HEALTH_ROUTE = "wrong_port_or_health_route"
    CRASH_LOOP = "crash_loop"
    PARALLELISM = "missing_parallelism"
    NO_CAPACITY = "no_capacity"
    QUOTA = "quota_exceeded"
    PAUSED = "paused"
    SCALED_TO_ZERO = "scaled_to_zero"
    SLOW_START = "slow_start"
    OVERLOAD = "overload"
    CLIENT_ERRORS = "client_errors"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"


class EvidenceSource(StrEnum):
    """What a diagnosis reads besides the endpoint's own document."""

    REPLICAS = "replicas"
    LOGS = "logs"
    METRICS = "metrics"
    HARDWARE = "hardware and quota"
    HEALTH = "health route"
    HISTORY = "audit log"


class ActionKind(StrEnum):
    """What a caller can do about a cause."""

    RESUME = "resume"
    AUTHORIZE = "authorize"  # set the secret HF_TOKEN, or start again once its account has access
    UPDATE = "update"
    WAIT = "wait"
    CALL = "call"
    INSPECT = "inspect"
    READ_LOGS = "read_logs"
    LIST_RUNNING = "list_running"
    LIST_HARDWARE = "list_hardware"
    SEARCH_CATALOGUE = "search_catalogue"


@dataclass(frozen=True)
class Action:
    """One action, complete. `change` belongs to an update, `search` to a search of the catalogue."""

    kind: ActionKind
    change: EndpointChange | None = None
    search: str = ""


RESUME = Action(ActionKind.RESUME)
AUTHORIZE = Action(ActionKind.AUTHORIZE)
WAIT = Action(ActionKind.WAIT)
CALL = Action(ActionKind.CALL)
INSPECT = Action(ActionKind.INSPECT)
READ_LOGS = Action(ActionKind.READ_LOGS)
LIST_RUNNING = Action(ActionKind.LIST_RUNNING)
LIST_HARDWARE = Action(ActionKind.LIST_HARDWARE)


@dataclass(frozen=True)
class Remedy:
    """What would help, in plain sentences, and at most two actions, in order."""

    text: str
    actions: tuple[Action, ...] = ()


def remedy_by_update(change: EndpointChange, text: str) -> Remedy:
    return Remedy(text, (Action(ActionKind.UPDATE, change),))


@dataclass(frozen=True)
class Quote:
    """Text of a container, the control plane or the endpoint's owner. Show it as a quotation, never as our own text."""

    source: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One possible cause. `confidence` is between 0 and 1.

    `summary`, `remedy` and `evidence` are our own text; `quotes` are not.
    """

    cause: Cause
    confidence: float
    summary: str
    remedy: Remedy
    evidence: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
