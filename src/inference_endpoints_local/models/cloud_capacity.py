"""How many replicas the simulated clouds have room for, by hardware."""

import sys
from collections import Counter


class CloudCapacity:
    """There is room for every replica, except on hardware for which a number is stated."""

    def __init__(self) -> None:
        self._stated: dict[str, int] = {}
        self._occupied: Counter[str] = Counter()

    def set_limit(self, hardware_id: str, replicas: int | None) -> None:
        """There is room for so many replicas in all, None: for any number. Those that run now stay."""
        if replicas is None:
            self._stated.pop(hardware_id, None)
        else:
            self._stated[hardware_id] = replicas

    def occupy(self, hardware_id: str) -> None:
        """A replica starts there."""
        self._occupied[hardware_id] += 1

    def release(self, hardware_id: str) -> None:
        """A replica there has ended."""
        self._occupied[hardware_id] -= 1

    def free(self, hardware_id: str) -> int:
        """How many further replicas could start there."""
        stated = self._stated.get(hardware_id)
        return sys.maxsize if stated is None else max(0, stated - self._occupied[hardware_id])

    def status(self, hardware_id: str, listed: str) -> str:
        """The status in the list of hardware: `listed`, unless there is no room at all, or none left."""
        if self._stated.get(hardware_id) == 0:
            return "not_available"
        return listed if self.free(hardware_id) or listed != "available" else "low_availability"
