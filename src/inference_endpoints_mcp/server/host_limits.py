"""How long hosts bear one call, by the name they give themselves.

A progress token says that a host listens, not that it will wait. Figures are from hosts' documentation and
users' reports as of November 2026, less a margin; `--hold` overrides them.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds a host bears one call, with and without a progress token. Some bear less over HTTP."""

    told: float
    untold: float
    over_http: float = math.inf

    def bears(self, *, listens: bool, http: bool) -> float:
        return min(self.told if listens else self.untold, self.over_http if http else math.inf)


UNKNOWN = Patience(told=50.0, untold=45.0)

_KNOWN = {
    # Its watchdog starts anew at each progress notification: 30 min over stdio, 5 min over HTTP.
    "claude-code": Patience(told=600.0, untold=240.0, over_http=240.0),
    # About 60 s, whatever is notified.
    "claude-ai": Patience(told=50.0, untold=50.0),
    # Its clock starts anew at each progress notification since June 2026.
    "opencode": Patience(told=600.0, untold=50.0),
    # Our own demonstration, which has no limit.
    "inference-endpoints-demo": Patience(told=3_600.0, untold=3_600.0),
}


def patience_of(client_name: str | None) -> Patience:
    return _KNOWN.get((client_name or "").lower(), UNKNOWN)
