"""Reads what an inference engine measures of its own requests, in the form in which it serves that."""

from typing import Protocol

from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.engine_counters import EngineCounters, parse_counters
from inference_endpoints_local.engines.worker_proxy import get_json

METRICS_PATH = "/metrics.json"
"""Where a worker serves what its engine measures, if it measures anything."""


class EngineMeter(Protocol):
    """Of one process, from its start."""

    async def read(self, address: WorkerAddress) -> EngineCounters | None:
        """What was counted until now; None if it cannot be read. Raises WorkerFailed."""


class WorkerMeter:
    """Of our workers: they count by themselves."""

    async def read(self, address: WorkerAddress) -> EngineCounters | None:
        return parse_counters(await get_json(address, METRICS_PATH))
