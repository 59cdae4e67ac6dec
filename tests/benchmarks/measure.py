"""Fair measuring, and one form for what was measured."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import median
from typing import Any, TypeVar

Sample = TypeVar("Sample")


def in_turns(rounds: int, *measures: Callable[[], Sample], warm_up: int = 1) -> list[list[Sample]]:
    """Samples of each measure, one a round. Every second round goes backwards, so that no order favours any."""
    samples: list[list[Sample]] = [[] for _ in measures]
    for number in range(-warm_up, rounds):
        order = range(len(measures)) if number % 2 == 0 else reversed(range(len(measures)))
        for index in order:
            sample = measures[index]()
            if number >= 0:
                samples[index].append(sample)
    return samples


def milliseconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1_000


@dataclass(frozen=True)
class AtMost:
    """A published target: the most that ours may be, as a ratio to the other or as a difference in its unit."""

    ratio: float = float("inf")
    difference: float = float("inf")

    def met(self, ratio: float, difference: float) -> bool:
        return ratio <= self.ratio and difference <= self.difference

    def words(self, unit: str) -> str:
        of_ratio = self.ratio < float("inf")
        return f"ratio at most {self.ratio:g}" if of_ratio else f"at most {self.difference:+g} {unit}"


@dataclass(frozen=True)
class Figure:
    """One line of a report. Samples are pairs: the first of ours was taken beside the first of theirs, and so on."""

    what: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    target: AtMost | None = None

    @classmethod
    def pair(cls, what: str, unit: str, samples: Sequence[Sequence[float]], target: AtMost | None = None) -> "Figure":
        """The samples of ours and of theirs, as `in_turns` gives them."""
        ours, theirs = samples
        return cls(what, unit, ours, theirs, target)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios. Infinite where theirs is zero and ours is not."""
        return median(_ratio(ours, theirs) for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def difference(self) -> float:
        """The median of the pairs' differences."""
        return median(ours - theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    def facts(self) -> dict[str, Any]:
        """The line as plain data."""
        facts: dict[str, Any] = {"what": self.what, "unit": self.unit, "samples": len(self.ours)}
        facts["ours"] = round(median(self.ours), 4)
        if self.theirs:
            facts["theirs"] = round(median(self.theirs), 4)
            facts["ratio"] = round(self.ratio, 4) if isfinite(self.ratio) else None
            facts["difference"] = round(self.difference, 4)
        if self.target is not None:
            facts |= {"target": self.target.words(self.unit), "met": self.target.met(self.ratio, self.difference)}
        return facts

    def cells(self) -> list[str]:
        """The line as a row of a table."""
        cells = [self.what, self.unit, _number(median(self.ours))]
        if self.theirs:
            cells += [_number(median(self.theirs)), f"{self.ratio:.2f}", _number(self.difference, sign="+")]
        if self.target is not None:
            met = "met" if self.target.met(self.ratio, self.difference) else "MISSED"
            cells.append(f"{self.target.words(self.unit)}: {met}")
        return cells


@dataclass(frozen=True)
class Report:
    """What one benchmark found. `against` is what ours is compared with."""

    title: str
    against: str
    figures: Sequence[Figure]
    note: str = ""

    def markdown(self) -> str:
        head = ["", "unit", "ours", self.against, "ratio", "difference", "target"]
        rows = [head, ["---"] * len(head), *(figure.cells() for figure in self.figures)]
        table = "\n".join(_row(cells, len(head)) for cells in rows)
        return "\n\n".join(part for part in (f"## {self.title}", table, self.note) if part)


def _row(cells: Iterable[str], width: int) -> str:
    filled = [*cells, *[""] * width][:width]
    return f"| {' | '.join(filled)} |"


def _ratio(ours: float, theirs: float) -> float:
    if theirs:
        return ours / theirs
    return inf if ours else 1.0


def _number(value: float, sign: str = "") -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.3g}" if abs(value) < 100 else f"{value:{sign}.0f}"
