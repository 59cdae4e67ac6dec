"""Where the recorded answers of the service are."""

from pathlib import Path

CAPTURES = Path(__file__).parents[2] / "captures"
