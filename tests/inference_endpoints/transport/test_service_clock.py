"""Times are by the service's clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from inference_endpoints.transport.service_clock import ServiceClock


def test_a_clock_that_is_ahead_is_followed_and_no_header_changes_nothing() -> None:
    clock = ServiceClock()
    ahead = datetime.now(UTC) + timedelta(hours=2)
    clock.note(format_datetime(ahead, usegmt=True))
    for header in (None, "", "yesterday", "Fri, 99 Nov 2026 07:00:00 GMT"):
        clock.note(header)
    assert abs(clock.now() - ahead) < timedelta(minutes=1)


def test_a_small_difference_is_the_way_of_the_answer() -> None:
    clock = ServiceClock()
    clock.note(format_datetime(datetime.now(UTC) - timedelta(seconds=2), usegmt=True))
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
