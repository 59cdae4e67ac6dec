"""What is known of an endpoint at one moment, and what follows from it directly. No judgement, no I/O."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from inference_endpoints.deploy.offers import Offer, find_offer
from inference_endpoints.deploy.sizing.known_model import HubFacts, KnownModel
from inference_endpoints.deploy.sizing.memory_check import MemoryCheck, check_memory
from inference_endpoints.diagnosis.finding import EvidenceSource
from inference_endpoints.diagnosis.start_times import EarlierStarts
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.errors import cut_text
from inference_endpoints.models import AllGraphs, AuditChange, AuditEntry, Endpoint, LogEntry, Replica
from inference_endpoints.models.status import InferenceEndpointStatus as State

MAX_LINE_LENGTH = 2_000
"""Characters of a line that are searched."""
LAST_LINES = 6
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FAILED = frozenset({State.FAILED, State.UPDATE_FAILED})
_STARTS = frozenset({"created", "updated", "resumed"})
_STOPPED = frozenset({State.PAUSED, State.SCALED_TO_ZERO})


@dataclass(frozen=True)
class EvidenceLine:
    """One line that a container or the control plane wrote."""

    text: str
    source: str
    replica: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """An endpoint and what was read about it. A source that is None was not read or did not answer.

    `health` is the HTTP status of the health route, 0 if nothing answered. `hub` is what the Hub knows of the model.
    `history` is what was done to the endpoint, newest first. `earlier_starts` are how long starts took.
    `failed` are the sources that were read and did not answer.
    """

    endpoint: Endpoint
    now: datetime
    replicas: Sequence[Replica] | None = None
    logs: Sequence[LogEntry] | None = None
    graphs: AllGraphs | None = None
    offers: Sequence[Offer] | None = None
    health: int | None = None
    hub: HubFacts = field(default_factory=HubFacts)
    history: Sequence[AuditEntry] | None = None
    earlier_starts: EarlierStarts = field(default_factory=EarlierStarts)
    failed: frozenset[EvidenceSource] = field(default=frozenset())

    @property
    def state(self) -> State:
        return self.endpoint.state

    @property
    def state_summary(self) -> str:
        """A clause such as "Its state is pending, and 0 of 1 replicas are ready"."""
        status = self.endpoint.status
        ready = f"{status.ready_replica} of {status.target_replica} replicas are ready"
        return f"Its state is {self.state.value}, and {ready}"

    @property
    def is_starting(self) -> bool:
        """Whether it is about to run, with no replica ready yet."""
        return self.state.changing and self.endpoint.status.ready_replica == 0

    @property
    def has_failed(self) -> bool:
        """Whether the control plane no longer tries to start it."""
        return self.state in _FAILED

    @property
    def is_stopped(self) -> bool:
        """Whether it has no replicas because a user paused it or because it was idle."""
        return self.state in _STOPPED

    @property
    def runs_locally(self) -> bool:
        """Whether its replicas are workers of the local plane, which have no port or health route of their own."""
        return self.endpoint.status.engine in {"process", "ray"}

    @cached_property
    def offer(self) -> Offer | None:
        """The hardware listing's entry for this endpoint's hardware."""
        return find_offer(self.offers or (), self.endpoint.hardware_id)

    @property
    def known_model(self) -> KnownModel:
        return KnownModel(self.endpoint.model.repository, hub=self.hub)

    @cached_property
    def memory_check(self) -> MemoryCheck | None:
        """What the model needs and its hardware has, where that is known."""
        if self.offer is None or self.runs_locally:
            return None
        check = check_memory(self.known_model, self.endpoint.model, self.offer)
        return check if isinstance(check, MemoryCheck) else None

    @property
    def memory_shortage(self) -> MemoryCheck | None:
        """The same where it is too little."""
        return self.memory_check if self.memory_check and not self.memory_check.fits else None

    @property
    def fits_for_certain(self) -> bool:
        """Whether the model fits by computation, its KV cache included."""
        check = self.memory_check
        return check is not None and check.fits and not isinstance(check.need.kv_gb, NotComputable)

    @cached_property
    def exit_codes(self) -> Counter[int]:
        """How often replicas ended with which code since the last change, those that ended as asked left out."""
        changed_at = self.endpoint.status.updated_at
        ended = [replica.status for replica in self.replicas or () if replica.status.exit_code]
        since = _assume_utc(changed_at) if changed_at and not self.has_failed else None
        return Counter(
            status.exit_code or 0
            for status in ended
            if since is None or status.stopped_at is None or _assume_utc(status.stopped_at) >= since
        )

    @cached_property
    def last_change(self) -> AuditEntry | None:
        """The newest change of the endpoint that starts replicas, after its creation; None if there is or is known
        none."""
        entries = [entry for entry in self.history or () if entry.action in _STARTS]
        return entries[0] if entries and entries[0].action != "created" else None

    @property
    def last_update(self) -> list[AuditChange]:
        """All settings that the last change changed: a log has an entry for each kind of setting."""
        last = self.last_change
        if last is None:
            return []
        same = [each for each in self.history or () if each.request_id == last.request_id and each.action == "updated"]
        return [change for each in (same if last.request_id else [last]) for change in each.changes]

    @cached_property
    def earlier_lines(self) -> list[EvidenceLine]:
        """The log before that change, oldest first."""
        at = self.last_change.created_at if self.last_change else None
        if at is None:
            return []
        return [
            EvidenceLine(_clean(entry.line), "logs", entry.replica_id, entry.time)
            for entry in self.logs or ()
            if entry.time is not None and entry.time < _assume_utc(at)
        ]

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica; 1 if that is unknown, or for CPUs."""
        if self.offer is not None:
            return self.offer.accelerators
        size = re.fullmatch(r"x(\d{1,3})", self.endpoint.compute.instance_size)
        return int(size[1]) if size and self.endpoint.compute.accelerator in {"gpu", "neuron"} else 1

    @cached_property
    def log_lines(self) -> list[EvidenceLine]:
        """The log since the endpoint's last change, oldest first."""
        lines = [EvidenceLine(_clean(entry.line), "logs", entry.replica_id, entry.time) for entry in self.logs or ()]
        changed_at = self.endpoint.status.updated_at
        if changed_at is None:
            return lines
        # Log lines have milliseconds only.
        since = _assume_utc(changed_at).replace(microsecond=changed_at.microsecond // 1000 * 1000)
        recent = [line for line in lines if line.at is None or line.at >= since]
        # A service may record the failure itself as the last change. Then every line is older than the change.
        return recent or (lines if self.has_failed else [])

    @cached_property
    def status_lines(self) -> list[EvidenceLine]:
        """The control plane's messages about the endpoint. They may quote the container."""
        status = self.endpoint.status
        messages = f"{status.message or ''}\n{status.error_message or ''}"
        return [EvidenceLine(_clean(text), "status") for text in messages.splitlines() if text.strip()]

    @cached_property
    def last_lines(self) -> list[EvidenceLine]:
        """The last lines: of the control plane if it reports a failure, then of the log."""
        failure = self.status_lines if self.endpoint.status.error_message else []
        known = {line.text for line in failure}
        return failure[-LAST_LINES:] + [line for line in self.log_lines[-LAST_LINES:] if line.text not in known]

    @property
    def ended_replicas(self) -> int:
        """How many replicas wrote to the log since the last change and have ended."""
        logged = {line.replica for line in self.log_lines if line.replica}
        return len(logged - self._existing_replicas) if self.replicas is not None else 0

    @cached_property
    def _existing_replicas(self) -> set[str]:
        """The ids of those that have not ended. The service also lists some that have."""
        return {replica.id for replica in self.replicas or () if replica.status.stage != "stopped"}

    @property
    def start_duration_s(self) -> float:
        """Seconds since this start began, as far as that is known."""
        first = [line.at for line in self.log_lines if line.at and line.replica in self._existing_replicas]
        status = self.endpoint.status
        known = first[:1] or [_assume_utc(time) for time in (status.updated_at, status.last_used_at) if time]
        return max(0.0, (self.now - max(known)).total_seconds()) if known else 0.0


def _clean(text: str) -> str:
    return _COLOURS.sub("", cut_text(text, MAX_LINE_LENGTH)).strip()


def _assume_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
