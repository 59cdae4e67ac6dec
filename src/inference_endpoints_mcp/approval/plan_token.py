"""Tokens of plans: whoever returns one approves that plan, once, while nothing of it has changed."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState

from inference_endpoints_mcp.approval.approval_policy import ApprovalOutcome
from inference_endpoints_mcp.approval.plan_ledger import PlanLedger

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
    """Issues tokens and redeems them, in every process with the same ledger. `now` gives seconds since the epoch."""

    def __init__(self, open_ledger: Callable[[], PlanLedger], now: Callable[[], float]) -> None:
        self._open_ledger = open_ledger
        self._now = now

    def issue(self, bound: Mapping[str, str], valid_for: float) -> str:
        """A token bound to these parts, for so many seconds."""
        expires = self._clock() + int(valid_for)
        newest = self._ledger.keys[0]
        body = secrets.token_bytes(_NONCE) + expires.to_bytes(_TIME, "big") + b"".join(_digests(bound, newest))
        return _codec(newest).seal(body)

    async def redeem(self, token: str, bound: Mapping[str, str]) -> Rejection | None:
        """Redeem a token for the current binding. Returns None if it is valid, else the reason. It is valid once."""
        key, body = self._unseal(token)
        if key is None:
            return Rejection("This plan_token is not from this server", ApprovalOutcome.MALFORMED)
        nonce, expires = body[:_NONCE], int.from_bytes(body[_NONCE : _NONCE + _TIME], "big")
        if self._clock() > expires:
            return Rejection("The plan has expired", ApprovalOutcome.TIMED_OUT)
        if await self._ledger.is_redeemed(nonce):
            return _REDEEMED
        parts = body[_NONCE + _TIME :]
        for index, (name, digest) in enumerate(zip(_MISMATCHES, _digests(bound, key), strict=True)):
            if parts[index * _DIGEST : (index + 1) * _DIGEST] != digest:
                return Rejection(_MISMATCHES[name], ApprovalOutcome.DRIFTED)
        if not await self._ledger.redeem(nonce, expires, self._clock()):
            return _REDEEMED
        return None

    @cached_property
    def _ledger(self) -> PlanLedger:
        return self._open_ledger()

    def names_of(self, account: str) -> list[str]:
        """Names for an account that tell nobody which it is: one under each key, the newest first."""
        return [
            hashlib.blake2b(account.encode(), key=_secret(key), person=b"account", digest_size=16).hexdigest()
            for key in self._ledger.keys
        ]

    def seal(self, payload: bytes) -> str:
        """The SDK's `RequestStateCodec`: what a host returns with a person's answer."""
        return _state_codec(tuple(self._ledger.keys)).seal(payload)

    def unseal(self, token: str) -> bytes:
        """The SDK's `RequestStateCodec`. Raises `InvalidRequestState`."""
        return _state_codec(tuple(self._ledger.keys)).unseal(token)

    def _unseal(self, token: str) -> tuple[bytes | None, bytes]:
        """The key of a token and what it holds; no key if it is not one of ours."""
        for key in self._ledger.keys:
            with suppress(InvalidRequestState):
                return key, _codec(key).unseal(token)
        return None, b""

    def _clock(self) -> int:
        return int(self._now())


# Keys can be replaced while plans and questions are open.
@lru_cache(maxsize=8)
def _codec(key: bytes) -> AESGCMRequestStateCodec:
    return AESGCMRequestStateCodec([key])


@lru_cache(maxsize=8)
def _state_codec(keys: tuple[bytes, ...]) -> AESGCMRequestStateCodec:
    # Keys of their own: what is sealed for one purpose is of no use for another.
    derived = [hashlib.blake2b(key, person=b"request state", digest_size=32).digest() for key in keys]
    return AESGCMRequestStateCodec(derived)


def _digests(bound: Mapping[str, str], key: bytes) -> list[bytes]:
    # Keyed, since they are short: nobody can search for two requests with the same one.
    return [
        hashlib.blake2b(bound[name].encode(), key=_secret(key), person=b"plan", digest_size=_DIGEST).digest()
        for name in _MISMATCHES
    ]


def _secret(key: bytes) -> bytes:
    """A key of any length as one of a hash."""
    return hashlib.sha256(key).digest()
