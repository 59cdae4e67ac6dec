"""What is learnt of hosts is kept in the data folder."""

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from inference_endpoints_mcp.server.holding import learned_holds
from inference_endpoints_mcp.server.holding.hold import LearnedHold
from inference_endpoints_mcp.server.holding.learned_holds import PROPOSAL_VALID_S, AnswerOutcome, LearnedHolds

START = LearnedHold(3.5)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


Opened = Callable[..., LearnedHolds]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens what is learnt in a folder. All are closed at the end."""
    with ExitStack() as stack:
        yield lambda folder, clock=None: stack.enter_context(closing(LearnedHolds(folder, clock or Clock())))


def doubled(hold: LearnedHold) -> LearnedHold:
    return LearnedHold(hold.seconds * 2)


def test_servers_with_the_same_folder_share_what_they_learnt(opened: Opened, tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    assert other.find("a 1") is None
    one.change("a 1", START, doubled)
    other.change("a 1", START, doubled)
    assert one.find("a 1") == LearnedHold(14)
    assert one.known() == [("a 1", 14)]
    assert one.find("a 2") is None
    one.propose(b"proof", b"again", 3.5)
    assert other.take(b"proof", b"") == AnswerOutcome(True, 3.5)
    assert one.take(b"proof", b"") is None


def test_an_answer_is_followed_or_its_call_is_repeated_and_that_is_told_once(opened: Opened, tmp_path: Path) -> None:
    holds = opened(tmp_path)
    holds.propose(b"proof", b"again", 7)
    assert holds.take(b"other", b"another") is None
    assert holds.take(b"other", b"again") == AnswerOutcome(False, 7)
    assert holds.take(b"proof", b"again") is None


def test_a_proposal_tells_nothing_after_ten_minutes(opened: Opened, tmp_path: Path) -> None:
    clock = Clock()
    holds = opened(tmp_path, clock)
    holds.propose(b"proof", b"again", 7)
    clock.now += PROPOSAL_VALID_S
    assert holds.take(b"proof", b"again") is None


def test_only_the_owner_can_read_the_file(opened: Opened, tmp_path: Path) -> None:
    opened(tmp_path / "new").change("a", START, doubled)
    (file,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_file_that_is_damaged_is_begun_anew(opened: Opened, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "holds.sqlite3").write_bytes(content)
    holds = opened(tmp_path)
    assert holds.find("a") is None
    holds.change("a", START, doubled)
    assert opened(tmp_path).find("a") == LearnedHold(7)


def test_without_a_usable_folder_a_process_learns_for_itself(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    holds = opened(tmp_path / "file")
    holds.change("a", START, doubled)
    assert holds.find("a") == LearnedHold(7)
    assert len(caplog.records) == 1


def test_what_changed_longest_ago_is_forgotten_first(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned_holds, "MAX_CLIENTS", 2)
    monkeypatch.setattr(learned_holds, "MAX_PROPOSALS", 2)
    holds = opened(tmp_path)
    for name in ("a", "b", "a", "c"):
        holds.change(name, START, doubled)
    assert [holds.find(name) for name in ("a", "b", "c")] == [LearnedHold(14), None, LearnedHold(7)]
    for proof in (b"1", b"2", b"3"):
        holds.propose(proof, proof, 1)
    assert [holds.take(proof, b"") is not None for proof in (b"1", b"2", b"3")] == [False, True, True]
