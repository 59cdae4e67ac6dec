"""How an endpoint was called lately, as its log tells it, or where that is silent, as it was measured."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from inference_endpoints.diagnosis.facts import Facts, Line
from inference_endpoints.models import AllGraphs

# The common log format, uvicorn's (both quote the request), and that of this project's own workers. Only POST counts:
# that is how models are called.
_REQUEST = re.compile(r'(?:"POST \S{1,500} HTTP/[\d.]+"|\bPOST \S{1,80}) (\d{3})\b')
_WAITING = re.compile(
    r"\b(?:Running|#running-req): ?\d+(?: reqs)?, .{0,60}?\b(?:Waiting|Pending|#queue-req): ?(\d{1,9})"
)


@dataclass(frozen=True)
class Traffic:
    """Answers by HTTP status, and requests that wait in the engine (`waiting`) or are under way (`pending`).

    `lines` are those of the log that say so. `measured`: the statuses are from metrics, which count every request,
    checks of the health route among them.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    waiting: int = 0
    pending: float = 0.0
    lines: tuple[Line, ...] = ()
    measured: bool = False

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def known_by(self) -> str:
        return "measured" if self.measured else "logged"

    def count(self, statuses: Sequence[int]) -> int:
        return sum(self.statuses[status] for status in statuses)

    def share(self, statuses: Sequence[int]) -> float:
        return self.count(statuses) / self.total if self.total else 0.0


def traffic(facts: Facts) -> Traffic:
    logged = _logged(facts.lines)
    if facts.graphs is None:
        return logged
    with_pending = replace(logged, pending=_newest(facts.graphs))
    return with_pending if logged.total else replace(with_pending, statuses=_answers(facts.graphs), measured=True)


def _logged(lines: Iterable[Line]) -> Traffic:
    statuses: Counter[int] = Counter()
    waiting, telling = 0, []
    for line in lines:
        if request := _REQUEST.search(line.text):
            statuses[int(request[1])] += 1
            telling.append(line)
        elif figures := _WAITING.search(line.text):
            waiting = int(figures[1])
            telling.append(line)
    return Traffic(statuses, waiting, lines=tuple(telling))


def _answers(graphs: AllGraphs) -> Counter[int]:
    """Answers by status; those that are only known by class, `4xx`, are left out."""
    answers: Counter[int] = Counter()
    for series in graphs.response_status_code.series:
        if str(series.status_code).isdecimal():
            answers[int(str(series.status_code))] += round(sum(point.y or 0.0 for point in series.data))
    return answers


def _newest(graphs: AllGraphs) -> float:
    """Requests under way in the last window that was measured."""
    points = [point for series in graphs.pending_request.series for point in series.data if point.y is not None]
    return max(points, key=lambda point: point.x).y or 0.0 if points else 0.0
