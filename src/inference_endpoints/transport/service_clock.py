"""The time by the control plane's clock, which its documents show: ours may be ahead or behind."""

from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=5)
"""A smaller difference is the time that an answer takes, and the fraction of a second that its header lacks."""


class ServiceClock:
    """Follows the `Date` of the control plane's answers."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def note(self, date: str | None) -> None:
        """Note the `Date` header of an answer that just came."""
        from email.utils import parsedate_to_datetime  # not needed before the first answer

        try:
            ahead = parsedate_to_datetime(date or "").astimezone(UTC) - datetime.now(UTC)
        except (TypeError, ValueError, OverflowError):
            return
        self._ahead = ahead if abs(ahead) > TOLERANCE else timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead
