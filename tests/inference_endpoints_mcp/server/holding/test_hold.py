"""How long the next call is held, after answers that arrived and calls that were lost."""

import pytest

from inference_endpoints_mcp.server.holding.hold import FIRST_HOLD_S, LearnedHold
from inference_endpoints_mcp.server.holding.host_limits import UNKNOWN_HOST, find_timeout

LIMIT = 50.0
LEAST = FIRST_HOLD_S / 2


def arrived(hold: LearnedHold, times: int = 1) -> LearnedHold:
    for _ in range(times):
        hold = hold.after_arrival(hold.seconds, LIMIT)
    return hold


def lost(hold: LearnedHold) -> LearnedHold:
    return hold.after_loss(hold.seconds, LEAST)


def test_an_unknown_host_is_held_less_than_frameworks_with_a_limit_of_five_seconds_wait() -> None:
    assert FIRST_HOLD_S < 4


def test_each_answer_that_arrives_doubles_the_hold_up_to_the_limit() -> None:
    holds = [LearnedHold(FIRST_HOLD_S)]
    while holds[-1].seconds < LIMIT:
        holds.append(arrived(holds[-1]))
    assert [hold.seconds for hold in holds] == [3.5, 7, 14, 28, 50]
    assert arrived(holds[-1]) == LearnedHold(LIMIT)


def test_each_loss_halves_the_hold_and_four_times_as_many_answers_bring_it_back() -> None:
    hold = lost(LearnedHold(7))
    assert hold.seconds == 3.5
    assert arrived(hold, 3).seconds == 3.5
    assert arrived(hold, 4).seconds == 7
    again = lost(arrived(hold, 4))
    assert arrived(again, 15).seconds == 3.5
    assert arrived(again, 16).seconds == 7


def test_a_host_with_a_limit_of_five_seconds_loses_few_of_a_thousand_calls() -> None:
    hold, losses = LearnedHold(FIRST_HOLD_S), 0
    for _ in range(1_000):
        fits = hold.seconds < 5
        hold, losses = (arrived(hold) if fits else lost(hold)), losses + (not fits)
    assert losses < 10


def test_a_host_whose_calls_a_person_stopped_is_trusted_again() -> None:
    hold = lost(lost(LearnedHold(LIMIT)))
    assert arrived(hold, 200) == LearnedHold(LIMIT)


def test_where_a_person_stopped_a_call_the_next_answer_brings_the_hold_back() -> None:
    stopped = LearnedHold(LIMIT).after_stop(LIMIT, LEAST)
    assert stopped.seconds == LIMIT / 2
    assert arrived(stopped) == LearnedHold(LIMIT)


def test_the_hold_never_falls_to_nothing() -> None:
    hold = LearnedHold(LIMIT)
    for _ in range(20):
        hold = lost(hold)
    assert hold.seconds == LEAST


def test_calls_that_are_lost_together_count_once() -> None:
    once = lost(LearnedHold(28))
    assert once.after_loss(28, LEAST) == once


def test_answers_to_shorter_calls_tell_nothing() -> None:
    assert LearnedHold(14).after_arrival(7, LIMIT) == LearnedHold(14)


@pytest.mark.parametrize("name", ["claude-code", "Claude-Code"])
def test_a_known_host_waits_longer_if_it_wants_progress(name: str) -> None:
    known = find_timeout(name)
    assert known is not None
    assert known.with_progress > known.without_progress > UNKNOWN_HOST.with_progress


@pytest.mark.parametrize("name", [None, "", "mcp", "a host nobody knows"])
def test_an_unknown_host_is_never_held_for_a_minute(name: str | None) -> None:
    assert find_timeout(name) is None
    assert UNKNOWN_HOST.without_progress < UNKNOWN_HOST.with_progress < 60
