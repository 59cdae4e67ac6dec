"""Tokens of plans: whoever returns one approves that plan, once, while nothing of it has changed."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState

from inference_endpoints_mcp.approval.approval_policy import ApprovalOutcome
from inference_endpoints_mcp.approval.plan_ledger import PlanLedger, open_ledger

_NONCE, _TIME, _DIGEST = 8, 4, 6
"""Bytes of each part of a token."""
_MISMATCHES = {
    "caller": "The plan was made for another caller",
    "change": "The plan was made for another change",
    "identity": "An endpoint is not the one the plan was made for",
    "configuration": "Its configuration changed since the plan",
    "payload": "The arguments are not those of the plan",
    "price": "Its price or effect changed since the plan",
}
"""What a token is bound to, and the reason for refusing it where that differs. The first difference is reported."""


@dataclass(frozen=True)
class Rejection:
    """Why a token is not valid; `reason` is a sentence without its full stop."""

    reason: str
    outcome: ApprovalOutcome


_REDEEMED = Rejection("The plan was carried out already", ApprovalOutcome.DRIFTED)


class PlanTokens:
    """Issues tokens and redeems them, in every process with the same folder. `now` gives seconds since the epoch."""

    def __init__(self, folder: Path | None, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now

    def issue(self, bound: Mapping[str, str], valid_for: float) -> str:
        """A token bound to these parts, for so many seconds."""
        expires = self._clock() + int(valid_for)
        body = secrets.token_bytes(_NONCE) + expires.to_bytes(_TIME, "big") + b"".join(self._digests(bound))
        return self._codec.seal(body)

    def redeem(self, token: str, bound: Mapping[str, str]) -> Rejection | None:
        """Redeem a token for the current binding. Returns None if it is valid, else the reason. It is valid once."""
        try:
            body = self._codec.unseal(token)
        except InvalidRequestState:
            return Rejection("This plan_token is not from this server", ApprovalOutcome.MALFORMED)
        nonce, expires = body[:_NONCE], int.from_bytes(body[_NONCE : _NONCE + _TIME], "big")
        if self._clock() > expires:
            return Rejection("The plan has expired", ApprovalOutcome.TIMED_OUT)
        if self._ledger.is_redeemed(nonce):
            return _REDEEMED
        parts = body[_NONCE + _TIME :]
        for index, (name, digest) in enumerate(zip(_MISMATCHES, self._digests(bound), strict=True)):
            if parts[index * _DIGEST : (index + 1) * _DIGEST] != digest:
                return Rejection(_MISMATCHES[name], ApprovalOutcome.DRIFTED)
        if not self._ledger.redeem(nonce, expires, self._clock()):
            return _REDEEMED
        return None

    @cached_property
    def _ledger(self) -> PlanLedger:
        return open_ledger(self._folder)

    @cached_property
    def _codec(self) -> AESGCMRequestStateCodec:
        return AESGCMRequestStateCodec([self._ledger.key])

    def _clock(self) -> int:
        return int(self._now())

    def _digests(self, bound: Mapping[str, str]) -> list[bytes]:
        # Keyed, since they are short: nobody can search for two requests with the same one.
        return [
            hashlib.blake2b(bound[name].encode(), key=self._ledger.key, person=b"plan", digest_size=_DIGEST).digest()
            for name in _MISMATCHES
        ]
