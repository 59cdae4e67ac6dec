"""How moments and durations are written."""

from datetime import datetime, timedelta, timezone

import pytest

from inference_endpoints.models import format_duration, rfc3339


def test_a_moment_is_written_in_utc() -> None:
    moment = datetime(2026, 11, 26, 12, 0, 5, 250_000, timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-11-26T10:00:05.250000Z"
    assert rfc3339(moment, "seconds") == "2026-11-26T10:00:05Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (42, "42 s"),
        (102, "1 min 42 s"),
        (720, "12 min"),
        (10_800, "3 h"),
        (12_000, "3 h 20 min"),
        (47 * 3600, "47 h"),
        (8 * 86_400 + 5, "8 days"),
    ],
)
def test_a_duration_is_written_with_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
