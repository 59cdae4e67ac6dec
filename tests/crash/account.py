"""The states in which an endpoint may be found after a crash, from its requests and their responses. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Wanted:
    """The wanted state of an endpoint. `version` is in its environment. A `broken` one cannot start."""

    power: str
    version: int
    broken: bool = False

    @property
    def settled(self) -> set[str]:
        """The states in which it settles."""
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
        """The only possible state, as long as every request was answered."""
        (only,) = self.possible
        return only

    def acknowledged(self, change: Change) -> None:
        self.possible = frozenset(map(change, self.possible))

    def unanswered(self, change: Change) -> None:
        """The plane ended before it answered: the change happened or not."""
        self.possible |= frozenset(map(change, self.possible))

    def found(self, what: Found) -> None:
        """Check the state found after the crash, and continue from it."""
        assert what in self.possible, f"found {what}, not one of {set(self.possible)}"
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
    """A call wakes an endpoint scaled to zero."""
    return replace(found, power="on") if found and found.power == "scaledToZero" else found
