"""What clients return as plain data, so that results of different classes can be compared."""

import dataclasses
from typing import Any


def plain(value: Any) -> Any:
    """Without members that are not set."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(value):
        value = vars(value)  # what an engine adds is not among the fields
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
