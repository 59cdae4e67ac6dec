"""What a cause is found with: how sure it is, what speaks for it, and what would help."""

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


class Source(StrEnum):
    """What is looked at besides the endpoint's own document."""

    REPLICAS = "replicas"
    LOGS = "logs"
    METRICS = "metrics"
    HARDWARE = "hardware and quota"
    HEALTH = "health route"


class Act(StrEnum):
    """What a caller can do about a cause."""

    RESUME = "resume"
    AUTHORIZE = "authorize"  # a secret HF_TOKEN; or, once it has access, start again
    UPDATE = "update"
    WAIT = "wait"
    CALL = "call"
    INSPECT = "inspect"
    READ_LOGS = "read_logs"
    LIST_RUNNING = "list_running"
    LIST_HARDWARE = "list_hardware"
    SEARCH_CATALOGUE = "search_catalogue"


@dataclass(frozen=True)
class Step:
    """One act, complete: `change` is that of an update, `search` what to look for in a catalogue or log."""

    act: Act
    change: EndpointChange | None = None
    search: str = ""


@dataclass(frozen=True)
class Fix:
    """What would help, in a sentence, and the steps to it, at most two, in order."""

    words: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Quote:
    """Words of others, the container's or the owner's: evidence, and never to be taken for ours."""

    source: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One cause that may be it. `confidence` is between 0 and 1; `why` and `facts` are ours, `quotes` are not."""

    cause: Cause
    confidence: float
    why: str
    fix: Fix
    facts: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
