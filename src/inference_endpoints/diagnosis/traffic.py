"""How an endpoint was called lately: from its log, or from metrics if the log has no requests."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from inference_endpoints.diagnosis.evidence import Evidence, EvidenceLine
from inference_endpoints.models import AllGraphs, Graph

# The common log format, uvicorn's (both quote the request), and that of this project's own workers. Only POST counts:
# that is how models are called.
_REQUEST = re.compile(r'(?:"POST \S{1,500} HTTP/[\d.]+"|\bPOST \S{1,80}) (\d{3})\b')
_QUEUE = re.compile(r"\b(?:Running|#running-req): ?\d+(?: reqs)?, .{0,60}?\b(?:Waiting|Pending|#queue-req): ?(\d{1,9})")


@dataclass(frozen=True)
class Traffic:
    """Responses by HTTP status, and requests in the engine's queue (`queued`) or without a response yet (`pending`).

    `lines` are the log lines they come from. `is_measured`: the statuses come from metrics, which count every
    request, health checks included. `waiting`: requests that wait for the engine of one replica, by
    metrics. `kv_cache_use` is in a unit that the service does not publish. Both are the highest of all replicas.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    queued: int = 0
    pending: float = 0.0
    waiting: float = 0.0
    kv_cache_use: float | None = None
    lines: tuple[EvidenceLine, ...] = ()
    is_measured: bool = False

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def origin(self) -> str:
        return "measured" if self.is_measured else "logged"

    def count(self, statuses: Sequence[int]) -> int:
        return sum(self.statuses[status] for status in statuses)

    def share(self, statuses: Sequence[int]) -> float:
        return self.count(statuses) / self.total if self.total else 0.0


def measure_traffic(evidence: Evidence) -> Traffic:
    logged = _count_logged(evidence.log_lines)
    if evidence.graphs is None:
        return logged
    measured = replace(logged, pending=_newest(evidence.graphs.pending_request) or 0.0)
    if engine := evidence.graphs.inference:
        waiting = _newest(engine.requests.waiting) or 0.0
        measured = replace(measured, waiting=waiting, kv_cache_use=_newest(engine.kv_cache))
    if logged.total:
        return measured
    return replace(measured, statuses=_count_measured(evidence.graphs), is_measured=True)


def _count_logged(lines: Iterable[EvidenceLine]) -> Traffic:
    statuses: Counter[int] = Counter()
    queued, counted = 0, []
    for line in lines:
        if request := _REQUEST.search(line.text):
            statuses[int(request[1])] += 1
            counted.append(line)
        elif queue := _QUEUE.search(line.text):
            queued = int(queue[1])
            counted.append(line)
    return Traffic(statuses, queued, lines=tuple(counted))


def _count_measured(graphs: AllGraphs) -> Counter[int]:
    """Responses by status. Those known only by class, such as `4xx`, are left out."""
    statuses: Counter[int] = Counter()
    for series in graphs.response_status_code.series:
        if str(series.status_code).isdecimal():
            statuses[int(str(series.status_code))] += round(series.total)
    return statuses


def _newest(graph: Graph) -> float | None:
    """The highest value of the last window that was measured; None if none was."""
    points = [(point.x, point.y) for series in graph.series for point in series.data if point.y is not None]
    return max(points)[1] if points else None
