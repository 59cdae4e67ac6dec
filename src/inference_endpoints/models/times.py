"""How moments and durations are written."""

from datetime import UTC, datetime


def rfc3339(moment: datetime, timespec: str = "auto") -> str:
    """A moment in the form of the API: in UTC, ending in Z. `timespec` is that of `datetime.isoformat`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def format_duration(seconds: float) -> str:
    """A duration for people, to two units: `42 s`, `1 min 42 s`, `3 h`, `8 days`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
