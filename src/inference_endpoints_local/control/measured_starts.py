"""How long the replicas of an endpoint take to start, for a caller who finds none ready."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inference_endpoints_local.engines.engine import LOADING, EngineReplica, ReplicaStage

_ON_THEIR_WAY = LOADING | {ReplicaStage.WAITING}


@dataclass
class MeasuredStarts:
    """The last start of a replica, from its launch until it was ready. Times are seconds of the engine's clock."""

    _last_s: float | None = None
    _launched_at: dict[str, float] = field(default_factory=dict)

    def launched(self, replica_id: str, now: float) -> None:
        self._launched_at[replica_id] = now

    def observe(self, replicas: Sequence[EngineReplica]) -> None:
        """Measure those that became ready. One that was ready before its launch is of an earlier run of the plane."""
        for replica in replicas:
            ready_at = replica.observe().ready_at
            if ready_at is not None and (launched_at := self._launched_at.pop(replica.id, None)) is not None:
                self._last_s = ready_at - launched_at if ready_at >= launched_at else self._last_s
        present = {replica.id for replica in replicas}
        self._launched_at = {name: at for name, at in self._launched_at.items() if name in present}

    def ready_at(self, replicas: Sequence[EngineReplica], now: float) -> float | None:
        """When the next one is ready if it takes as long as the last did. None: none has started yet."""
        if self._last_s is None:
            return None
        starting = (
            self._launched_at[replica.id]
            for replica in replicas
            if replica.id in self._launched_at and replica.observe().stage in _ON_THEIR_WAY
        )
        return min(starting, default=now) + self._last_s
