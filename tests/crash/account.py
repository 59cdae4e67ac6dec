"""What must be found of an endpoint after a crash, by what was asked and what was answered. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an endpoint. `version` is in its environment; a `broken` one cannot start."""

    power: str
    version: int
    broken: bool = False

    @property
    def settled(self) -> set[str]:
        """The states it comes to rest in."""
        if self.power != "on":
            return {self.power}
        return {"failed", "updateFailed"} if self.broken else {"running"}


Found = Wanted | None
"""None: there is no such endpoint."""
Change = Callable[[Found], Found]


class Account:
    """One endpoint, changed by one client at a time."""

    def __init__(self) -> None:
        self.possible: frozenset[Found] = frozenset({None})

    @property
    def known(self) -> Found:
        """What there is while every request was answered."""
        (only,) = self.possible
        return only

    def acknowledged(self, change: Change) -> None:
        self.possible = frozenset(map(change, self.possible))

    def unanswered(self, change: Change) -> None:
        """It was asked for, and then the plane was gone: it happened or not."""
        self.possible |= frozenset(map(change, self.possible))

    def found(self, what: Found) -> None:
        """This is what was there after the crash."""
        assert what in self.possible, f"found {what}, which is none of {set(self.possible)}"
        self.possible = frozenset({what})


def created(version: int) -> Change:
    return lambda found: found or Wanted("on", version)


def deleted(_: Found) -> Found:
    return None


def updated(version: int, broken: bool = False) -> Change:
    return lambda found: found and replace(found, version=version, broken=broken)


def turned(power: str) -> Change:
    return lambda found: found and replace(found, power=power)


def called(found: Found) -> Found:
    """A call wakes what sleeps."""
    return replace(found, power="on") if found and found.power == "scaledToZero" else found
