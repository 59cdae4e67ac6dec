"""A plan's token by itself."""

import hashlib

from inference_endpoints_mcp.approval.plan_token import PlanTokens

ONE, OTHER = "request 4901281", "request 36746660"
"""Their SHA-256 begin with the same 48 bits, as many as a token has room for. Such a pair is found in a minute."""


def bound_to(payload: str) -> dict[str, str]:
    return dict.fromkeys(("caller", "change", "identity", "configuration", "price"), "") | {"payload": payload}


def test_a_request_made_to_have_the_same_hash_is_not_the_approved_one() -> None:
    assert hashlib.sha256(ONE.encode()).digest()[:6] == hashlib.sha256(OTHER.encode()).digest()[:6]
    tokens = PlanTokens(lambda: 0.0)
    token = tokens.issue(bound_to(ONE), 600)
    rejection = tokens.redeem(token, bound_to(OTHER))
    assert rejection is not None
    assert "arguments" in rejection.reason
    assert tokens.redeem(token, bound_to(ONE)) is None
