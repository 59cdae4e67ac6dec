"""Plans sealed into tokens: whoever brings one back carries out that plan, once, while nothing of it has changed."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inference_endpoints_mcp.approval.confirmation import Outcome

LASTS_S = 600.0
"""Seconds a token holds."""

_NONCE, _TIME, _PART, _MAC = 8, 4, 6, 16
PARTS = ("caller", "change", "identity", "configuration", "payload", "price")
"""What a token is bound to, in the order in which a difference is told."""

_CHANGED = {
    "caller": "The plan was made for another caller",
    "change": "The plan was one for another change",
    "identity": "The endpoint is not the one the plan was made for",
    "configuration": "Its configuration changed since the plan",
    "payload": "The arguments are not those of the plan",
    "price": "Its price or effect changed since the plan",
}


@dataclass(frozen=True)
class Broken:
    """Why a token does not hold, in a sentence without its end."""

    said: str
    outcome: Outcome


class Seal:
    """Makes tokens and checks them, under a key of this process alone."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._key = secrets.token_bytes(32)
        self._now = now
        self._begun = now()
        self._spent: dict[bytes, int] = {}

    def token(self, bound: Mapping[str, str]) -> str:
        """A token bound to these parts, for `LASTS_S` seconds."""
        ends = self._tick() + int(LASTS_S)
        body = secrets.token_bytes(_NONCE) + ends.to_bytes(_TIME, "big")
        body += b"".join(self._part(name, bound[name]) for name in PARTS)
        return base64.b32encode(body + self._mac(body)).decode().rstrip("=").lower()

    def spend(self, token: str, bound: Mapping[str, str]) -> Broken | None:
        """Take a token for what is bound now: why it does not hold, None if it did. It holds once."""
        opened = self._opened(token)
        if opened is None:
            return Broken("This is no plan_token of this server, which may have been restarted", Outcome.MALFORMED)
        nonce, ends, parts = opened
        if self._tick() > ends:
            return Broken(f"The plan is older than {LASTS_S / 60:g} minutes", Outcome.TIMED_OUT)
        if nonce in self._spent:
            return Broken("The plan was carried out already", Outcome.DRIFTED)
        for name, part in zip(PARTS, parts, strict=True):
            if not hmac.compare_digest(part, self._part(name, bound[name])):
                return Broken(_CHANGED[name], Outcome.DRIFTED)
        self._spent = {each: until for each, until in self._spent.items() if until >= self._tick()}
        self._spent[nonce] = ends
        return None

    def _opened(self, token: str) -> tuple[bytes, int, list[bytes]] | None:
        """Nonce, end and parts of a token of ours, None for any other."""
        try:
            sealed = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except ValueError:
            return None
        body, mac = sealed[:-_MAC], sealed[-_MAC:]
        if len(body) != _NONCE + _TIME + _PART * len(PARTS) or not hmac.compare_digest(mac, self._mac(body)):
            return None
        start = _NONCE + _TIME
        parts = [body[at : at + _PART] for at in range(start, len(body), _PART)]
        return body[:_NONCE], int.from_bytes(body[_NONCE:start], "big"), parts

    def _part(self, name: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{name}\0{value}".encode(), hashlib.sha256)[:_PART]

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"token\0" + body, hashlib.sha256)[:_MAC]

    def _tick(self) -> int:
        return int(self._now() - self._begun)
