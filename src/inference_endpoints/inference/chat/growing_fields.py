"""The fields that an engine sends beside those of the API, put together from the parts of a stream."""

from collections.abc import Mapping
from io import StringIO
from typing import Any


class GrowingFields:
    """The fields of one object. Values of the types in `grows`, lists or texts, continue what was there before; of all
    else the later value stands.

    An engine decides how many parts there are: each takes time for itself, not for all that came before.
    """

    def __init__(self, *grows: type) -> None:
        self._grows = grows
        self._fields: dict[str, Any] = {}

    def add(self, part: Mapping[str, Any]) -> None:
        for name, value in part.items():
            before = self._fields.get(name)
            if isinstance(value, dict):
                if not isinstance(before, GrowingFields):
                    before = self._fields[name] = GrowingFields(*self._grows)
                before.add(value)
            elif isinstance(value, self._grows):
                self._grow(name, before, value)
            elif value is not None or name not in self._fields:
                self._fields[name] = value

    def whole(self) -> dict[str, Any]:
        return {name: _whole(value) for name, value in self._fields.items()}

    def _grow(self, name: str, before: Any, value: Any) -> None:
        if isinstance(value, list):
            if not isinstance(before, list):
                before = self._fields[name] = []
            before.extend(value)
        else:
            if not isinstance(before, StringIO):
                before = self._fields[name] = StringIO()
            before.write(value)


def _whole(value: Any) -> Any:
    if isinstance(value, GrowingFields):
        return value.whole()
    if isinstance(value, StringIO):
        return value.getvalue()
    return list(value) if isinstance(value, list) else value
