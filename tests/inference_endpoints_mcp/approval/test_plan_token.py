"""A plan's token by itself."""

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from inference_endpoints_mcp.approval.plan_ledger import FolderLedger, InProcessPlanLedger
from inference_endpoints_mcp.approval.plan_token import PlanTokens

ONE, OTHER = "request 4901281", "request 36746660"
"""Their SHA-256 begin with the same 48 bits, as many as a token has room for. Such a pair is found in a minute."""


def bound_to(payload: str) -> dict[str, str]:
    return dict.fromkeys(("caller", "change", "identity", "configuration", "price"), "") | {"payload": payload}


@pytest.mark.anyio
async def test_a_request_made_to_have_the_same_hash_is_not_the_approved_one() -> None:
    assert hashlib.sha256(ONE.encode()).digest()[:6] == hashlib.sha256(OTHER.encode()).digest()[:6]
    tokens = PlanTokens(InProcessPlanLedger, lambda: 0.0)
    token = tokens.issue(bound_to(ONE), 600)
    rejection = await tokens.redeem(token, bound_to(OTHER))
    assert rejection is not None
    assert "arguments" in rejection.reason
    assert await tokens.redeem(token, bound_to(ONE)) is None


def test_of_all_processes_that_share_a_folder_one_redeems_a_token(tmp_path: Path) -> None:
    """SQLite locks a file between connections as between processes."""
    processes = [PlanTokens(lambda: FolderLedger(tmp_path), lambda: 0.0) for _ in range(20)]
    token = processes[0].issue(bound_to(ONE), 600)
    with ThreadPoolExecutor(len(processes)) as pool:
        rejections = list(pool.map(lambda process: anyio.run(process.redeem, token, bound_to(ONE)), processes))
    assert [rejection.reason for rejection in rejections if rejection] == ["The plan was carried out already"] * 19
    later = PlanTokens(lambda: FolderLedger(tmp_path), lambda: 601.0)
    assert anyio.run(later.redeem, later.issue(bound_to(ONE), 600), bound_to(ONE)) is None
    with closing(sqlite3.connect(tmp_path / "plans.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM redeemed").fetchone() == (1,), "what has expired is forgotten"
