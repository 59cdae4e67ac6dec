"""What is known of an endpoint at one moment, and what follows from it directly. No judgement, no I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from inference_endpoints.deploy.hardware import Offer
from inference_endpoints.diagnosis.finding import Source
from inference_endpoints.models import AllGraphs, Endpoint, LogEntry, Replica
from inference_endpoints.models.status import InferenceEndpointStatus as State

LONGEST_LINE = 2_000
"""Characters of a line that are looked at."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FAILED = frozenset({State.FAILED, State.UPDATE_FAILED})
_STOPPED = frozenset({State.PAUSED, State.SCALED_TO_ZERO})


@dataclass(frozen=True)
class Line:
    """One line a container or the control plane wrote."""

    text: str
    source: str
    replica: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """An endpoint and what could be gathered about it; a source that is None was not asked or did not answer.

    `health` is the HTTP status of the health route, 0 if nothing answered there. `failed` are the sources that
    should have answered and did not.
    """

    endpoint: Endpoint
    now: datetime
    replicas: Sequence[Replica] | None = None
    logs: Sequence[LogEntry] | None = None
    graphs: AllGraphs | None = None
    offers: Sequence[Offer] | None = None
    health: int | None = None
    failed: frozenset[Source] = field(default=frozenset())

    @property
    def state(self) -> State:
        return self.endpoint.state

    @property
    def starting(self) -> bool:
        """On its way to running, with nothing ready yet."""
        return self.state.changing and self.endpoint.status.ready_replica == 0

    @property
    def given_up(self) -> bool:
        return self.state in _FAILED

    @property
    def stopped(self) -> bool:
        """Without replicas because somebody, or idleness, ended them."""
        return self.state in _STOPPED

    @property
    def here(self) -> bool:
        """Whether its replicas are processes of this machine, which have no port or health route of their own."""
        return self.endpoint.status.engine == "process"

    @cached_property
    def offer(self) -> Offer | None:
        """What the hardware listing says of this endpoint's hardware."""
        return next((offer for offer in self.offers or () if offer.id == self.endpoint.hardware), None)

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica; 1 where that is not known, or for CPUs."""
        if self.offer is not None:
            return self.offer.accelerators
        size = re.fullmatch(r"x(\d{1,3})", self.endpoint.compute.instance_size)
        return int(size[1]) if size and self.endpoint.compute.accelerator in {"gpu", "neuron"} else 1

    @cached_property
    def lines(self) -> list[Line]:
        """The log, oldest first, without what was said before the last change of the endpoint."""
        lines = [
            Line(_clean(entry.line), "logs", entry.replica_id, _moment(entry.timestamp)) for entry in self.logs or ()
        ]
        changed_at = self.endpoint.status.updated_at
        if changed_at is None:
            return lines
        since = _aware(changed_at).replace(microsecond=changed_at.microsecond // 1000 * 1000)  # as exact as lines are
        recent = [line for line in lines if line.at is None or line.at >= since]
        # A service may note a failure itself as the last change: then all that was said comes before it.
        return recent or (lines if self.given_up else [])

    @cached_property
    def status_lines(self) -> list[Line]:
        """What the control plane says of the endpoint; it may quote the container."""
        said = f"{self.endpoint.status.message or ''}\n{self.endpoint.status.error_message or ''}"
        return [Line(_clean(text), "status") for text in said.splitlines() if text.strip()]

    @cached_property
    def last_words(self) -> list[Line]:
        """What was said last, by the control plane if it says anything of a failure, and in the log."""
        failure = self.status_lines if self.endpoint.status.error_message else []
        known = {line.text for line in failure}
        return failure[-6:] + [line for line in self.lines[-6:] if line.text not in known]

    @property
    def dead_replicas(self) -> int:
        """Replicas that said something since the last change, and are there no more."""
        there = {replica.id for replica in self.replicas or ()}
        said = {line.replica for line in self.lines if line.replica}
        return len(said - there) if self.replicas is not None else 0

    @property
    def starting_s(self) -> float:
        """Seconds since this start began, as far as that can be known."""
        there = {replica.id for replica in self.replicas or ()}
        first = [line.at for line in self.lines if line.at and line.replica in there]
        status = self.endpoint.status
        known = first[:1] or [_aware(moment) for moment in (status.updated_at, status.last_used_at) if moment]
        return max(0.0, (self.now - max(known)).total_seconds()) if known else 0.0


def _clean(text: str) -> str:
    return _COLOURS.sub("", text[:LONGEST_LINE]).strip()


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        # Services send up to nine fractional digits, of which Python keeps six.
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
