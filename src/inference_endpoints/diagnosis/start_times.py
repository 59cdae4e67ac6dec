"""How long a start takes: by the earlier starts of the endpoint, else by measured starts of models of its size."""

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.models import Endpoint, StageGraph, format_duration
from inference_endpoints.models.status import InferenceEndpointStatus as State

HISTORY = timedelta(days=7)
"""How far back starts are read."""
NEWEST_STARTS = 5
"""Earlier starts that count: a change of model or hardware makes older ones wrong."""
MAX_AGE_S = 300.0
"""How long what was read is used."""
MAX_READS, MAX_ALIKE = 64, 3
"""Endpoints that are read in that time, and others alike for one of them: a large fleet is estimated by sizes alone."""
_STARTING = frozenset({"pending", "downloading", "pulling", "initializing"})
_GAP_S = 5.0
"""Two stages of one start follow each other within this time."""
Found = TypeVar("Found")
# Measured on the service in October 2026: 157 s with small weights on a T4, 458 s with 15.2 GB on an A10G, 36 to 42 s
# to wake. Larger models are not measured: in proportion, up to the 20 minutes that its documentation names.
_SMALL_S, _SECONDS_PER_GB, _LONGEST_S, _WAKE_S, _UNKNOWN_S = 157.0, 19.8, 1_200.0, 40.0, 300.0


@dataclass(frozen=True)
class StartEstimate:
    """Seconds that a start is expected to take, and on what that is based, as a sentence."""

    seconds: float
    basis: str


@dataclass(frozen=True)
class EarlierStarts:
    """Seconds that starts took, newest first: of the endpoint, and of others alike if it has none."""

    own: Sequence[float] = ()
    alike: Sequence[float] = ()


def estimate_start(endpoint: Endpoint, earlier: EarlierStarts) -> StartEstimate:
    """Estimate a start of this endpoint by its earlier ones, those of others alike, or the size of its model."""
    if earlier.own:
        newest = earlier.own[:NEWEST_STARTS]
        typical = sorted(newest)[len(newest) // 2]
        counted = "start" if len(newest) == 1 else f"{len(newest)} starts"
        return StartEstimate(typical, f"Its last {counted} took {format_duration(typical)}{_middle(newest)}.")
    if earlier.alike:
        typical = sorted(earlier.alike)[len(earlier.alike) // 2]
        what = f"{format_duration(typical)}{_middle(earlier.alike)}"
        return StartEstimate(typical, f"Models of its size on the same hardware started in {what}.")
    if endpoint.state is State.SCALED_TO_ZERO:
        return StartEstimate(_WAKE_S, "Waking usually takes about 40 s.")
    weights = KnownModel(endpoint.model.repository).weights_gb
    if weights is None:
        return StartEstimate(_UNKNOWN_S, "A start usually takes 3 to 5 minutes; a large model takes up to 20.")
    seconds = min(_LONGEST_S, _SMALL_S + _SECONDS_PER_GB * weights)
    return StartEstimate(seconds, f"A model of its size usually takes about {format_duration(seconds)} to start.")


class StartHistory:
    """How long starts took. Each endpoint is read once in a while, for however many callers; a fleet is read once for
    all who ask at the same time.

    The service keeps it, so it outlives this process. `now` returns seconds.
    """

    def __init__(self, client: AsyncEndpointsClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client, self._now = client, now
        self._reads: dict[tuple[str, str], tuple[float, asyncio.Task[list[float]]]] = {}
        self._lists: dict[str, asyncio.Task[Sequence[Endpoint]]] = {}

    async def earlier(self, endpoint: Endpoint, namespace: str) -> EarlierStarts:
        """The starts of an endpoint; if it has none, of others in its namespace with a model of its size on the same
        hardware. Raises what reading them raises."""
        own = await self._durations(endpoint.name, namespace)
        if own or len(self._reads) >= MAX_READS:
            return EarlierStarts(own)
        others = [one for one in await self._list(namespace) if one.name != endpoint.name]
        alike = [one for one in others if _kind(one) == _kind(endpoint)][:MAX_ALIKE]
        read = await asyncio.gather(*(self._durations(one.name, namespace) for one in alike))
        return EarlierStarts(alike=[seconds for durations in read for seconds in durations[:1]])

    async def _list(self, namespace: str) -> Sequence[Endpoint]:
        """The endpoints of a namespace. Hundreds can begin to wait at once, and the answer grows with the fleet."""
        if namespace not in self._lists:
            reading = _start_shared(self._client.list(namespace))
            reading.add_done_callback(lambda _: self._lists.pop(namespace))
            self._lists[namespace] = reading
        return await asyncio.shield(self._lists[namespace])

    async def _durations(self, name: str, namespace: str) -> Sequence[float]:
        at, now = (namespace, name), self._now()
        self._reads = {key: read for key, read in self._reads.items() if now - read[0] < MAX_AGE_S}
        if at not in self._reads:
            if len(self._reads) >= MAX_READS:
                return ()
            self._reads[at] = now, _start_shared(read_start_durations(self._client, name, namespace))
        return await asyncio.shield(self._reads[at][1])


def _start_shared(reading: Coroutine[Any, Any, Found]) -> asyncio.Task[Found]:
    # Many callers share the task, so it inherits no context of the first.
    task = asyncio.create_task(reading, context=contextvars.Context())
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    return task


def _kind(endpoint: Endpoint) -> tuple[str, object]:
    """What decides how long a start takes: the hardware, and the size of the model, to a factor of about one half."""
    weights = KnownModel(endpoint.model.repository).weights_gb
    return endpoint.hardware_id, round(2 * math.log2(weights)) if weights else endpoint.model.repository


async def read_start_durations(client: AsyncEndpointsClient, name: str, namespace: str) -> list[float]:
    """Seconds that the starts of an endpoint took in the last days, newest first, by the service's clock."""
    graphs = await client.metrics(name, namespace, start=HISTORY)
    return start_durations(graphs.replicas_status)


def start_durations(stages: StageGraph) -> list[float]:
    """Seconds from the first stage of each start until it ran, newest first."""
    starting = [span for series in stages.series if series.stage in _STARTING for span in series.data if span.x2]
    ready = sorted(span.x for series in stages.series if series.stage == "running" for span in series.data)
    durations = []
    for moment in reversed(ready):
        began, unused = moment, starting.copy()
        while before := next(
            (one for one in unused if one.x2 and abs((one.x2 - began).total_seconds()) <= _GAP_S), None
        ):
            unused.remove(before)
            began = min(began, before.x)
        if began < moment:
            durations.append((moment - began).total_seconds())
    return durations


def _middle(durations: Sequence[float]) -> str:
    return " (median)" if len(durations) > 1 else ""
