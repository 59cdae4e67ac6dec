"""What a replica takes of a node, and what is free there: CPUs and accelerators of one type. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TYPE_PREFIX = "accelerator_type:"
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Resources:
    """An amount of both. `kind` is Ray's name of the type of the accelerators, such as A100; empty for any."""

    cpus: float
    accelerators: float = 0.0
    kind: str = ""

    @classmethod
    def read(cls, amounts: Mapping[str, Any]) -> "Resources":
        """From Ray's names and amounts."""
        kind = next((name for name in amounts if name.startswith(_TYPE_PREFIX)), "").removeprefix(_TYPE_PREFIX)
        return cls(float(amounts.get("CPU", 0.0)), float(amounts.get("GPU", 0.0)), kind)

    def options(self) -> dict[str, Any]:
        """As Ray's options of an actor."""
        options: dict[str, Any] = {"num_cpus": self.cpus}
        if self.accelerators:
            options["num_gpus"] = self.accelerators
        return options | ({"accelerator_type": self.kind} if self.kind else {})

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpus + other.cpus, self.accelerators + other.accelerators, self.kind or other.kind)

    def __sub__(self, other: "Resources") -> "Resources":
        """Not below zero: two sources may differ by what just began."""
        left = max(0.0, self.cpus - other.cpus), max(0.0, self.accelerators - other.accelerators)
        return Resources(*left, self.kind)

    def __or__(self, other: "Resources") -> "Resources":
        """The greater of each."""
        return Resources(max(self.cpus, other.cpus), max(self.accelerators, other.accelerators), self.kind)

    def times(self, needed: "Resources") -> int:
        """How many times that fits here."""
        if needed.kind and needed.kind != self.kind:
            return 0
        pairs = ((self.cpus, needed.cpus), (self.accelerators, needed.accelerators))
        return min((int(here / each + _TOLERANCE) for here, each in pairs if each), default=0)

    def __str__(self) -> str:
        """As in "2 free CPUs"."""
        return f"{self.accelerators:g} free {self.kind or 'accelerators'}" if self.accelerators else _free_cpus(self)


NOTHING = Resources(0.0)


def _free_cpus(resources: Resources) -> str:
    return f"{resources.cpus:g} free CPUs"


def count_fitting(free: Iterable[Resources], waiting: Iterable[Resources], needed: Resources) -> int:
    """How many further replicas fit on nodes with so much free, after those that wait."""
    left = sorted(free, key=lambda node: node.cpus, reverse=True)
    for each in sorted(waiting, key=lambda waiting: waiting.cpus, reverse=True):
        for index, available in enumerate(left):
            if available.times(each):
                left[index] = available - each
                break
    return sum(available.times(needed) for available in left)
