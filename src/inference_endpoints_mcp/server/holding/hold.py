"""How long the next call of a host is held, from what became of the answers before it."""

import math
from dataclasses import dataclass, replace

FIRST_HOLD_S = 3.5
"""Seconds for which the first call of an unknown host is held. Some frameworks give up after five."""
MAX_LOSSES = 4
_NEAR = 0.8


def is_near(seconds: float, hold: float) -> bool:
    """Whether a host that bears so many seconds bears the hold."""
    return seconds >= hold * _NEAR


@dataclass(frozen=True)
class LearnedHold:
    """Seconds for which calls are held now, how often one was lost, and how many answers arrived since the last change.

    After each loss four times as many answers must arrive before a longer hold is tried: a host with a limit of five
    seconds loses one call now and then, not every other.
    """

    seconds: float
    losses: int = 0
    arrivals: int = 0

    def after_arrival(self, allowed_s: float, limit: float) -> "LearnedHold":
        """The answer of a call that was held for `allowed_s` seconds has arrived. Doubles, up to the limit."""
        if not is_near(allowed_s, self.seconds):
            return self
        if self.arrivals + 1 < 4**self.losses:
            return replace(self, arrivals=self.arrivals + 1)
        if self.seconds < limit:
            return LearnedHold(min(2 * self.seconds, limit), self.losses)
        return LearnedHold(self.seconds, max(0, self.losses - 1))

    def after_loss(self, allowed_s: float, least: float, most: float = math.inf) -> "LearnedHold":
        """The host gave up on a call that could be held for `allowed_s` seconds. Halves, or falls to `most` where that
        is less, but not below `least`.

        A call that could be held for longer than calls are now tells nothing: of several lost together, one counts.
        """
        if not is_near(self.seconds, allowed_s):
            return self
        return LearnedHold(max(min(self.seconds / 2, most), least), min(self.losses + 1, MAX_LOSSES))

    def after_stop(self, allowed_s: float, least: float, most: float = math.inf) -> "LearnedHold":
        """As after a loss, but the next answer that arrives doubles the hold again."""
        return replace(self.after_loss(allowed_s, least, most), losses=self.losses)
