"""What endpoints returned that does not fit into an answer: kept for a while, for the caller whose call was answered.

The call was paid for, so nothing of it is thrown away. A resource of the server reads it.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from inference_endpoints_mcp.policy.caller import caller_id

SCHEME = "endpoint-output://"
LIFETIME_S = 1_800.0
MINUTES_KEPT = round(LIFETIME_S / 60)
MAX_BYTES_OF_CALLER = 32 * 1024 * 1024
"""What is kept for one caller. The oldest goes first."""
MAX_BYTES = 128 * 1024 * 1024
TEXT = "text/plain"


@dataclass(frozen=True)
class KeptOutput:
    """A text, cleaned and masked, or the content of a file. `expires` is in seconds of the clock. `quota_owner` may be
    more than one caller: whoever signed in, with each of its tokens."""

    uri: str
    caller: str
    quota_owner: str
    content: str | bytes
    media_type: str
    name: str
    expires: float

    @property
    def size(self) -> int:
        return len(self.content)


class KeptOutputs:
    """The outputs of this process. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, KeptOutput] = {}

    def keep(self, caller: str, content: str | bytes, media_type: str, name: str) -> str | None:
        """The URI under which the caller can read it. `name` says in our words what it is. None if it is too large."""
        if len(content) > MAX_BYTES_OF_CALLER:
            return None
        uri = SCHEME + secrets.token_hex(8)
        self._kept[uri] = KeptOutput(uri, caller, caller_id(), content, media_type, name, self._clock() + LIFETIME_S)
        self._forget()
        return uri

    def find(self, uri: str, caller: str) -> KeptOutput | None:
        """None if there is none, or not for this caller."""
        self._forget()
        kept = self._kept.get(uri)
        return kept if kept is not None and kept.caller == caller else None

    def of_caller(self, caller: str) -> list[KeptOutput]:
        """The newest first."""
        self._forget()
        return [kept for kept in reversed(self._kept.values()) if kept.caller == caller]

    def _forget(self) -> None:
        now, total, totals = self._clock(), 0, dict[str, int]()
        for kept in reversed(list(self._kept.values())):
            total += kept.size
            totals[kept.quota_owner] = totals.get(kept.quota_owner, 0) + kept.size
            too_much = total > MAX_BYTES or totals[kept.quota_owner] > MAX_BYTES_OF_CALLER
            if kept.expires <= now or too_much:
                del self._kept[kept.uri]
                total -= kept.size
                totals[kept.quota_owner] -= kept.size
