"""What `install` needs of a format, and the check that an edit changed one value only."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints_mcp.install.errors import InstallError

KeyPath = Sequence[str]


class Unreadable(InstallError):
    """A text is not in its format, or in a form of it that cannot be edited safely."""


@dataclass(frozen=True)
class TextFormat:
    """A format. Its functions raise `Unreadable`."""

    name: str
    read: Callable[[str], Any]
    write_value: Callable[[str, KeyPath, Any], str]
    drop_value: Callable[[str, KeyPath], str]

    def get(self, text: str, path: KeyPath) -> Any:
        """The value at a path, or None."""
        value = self.read(text)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def set(self, text: str, path: KeyPath, value: Any) -> str:
        """The text with this value, in which all else is as it was."""
        wanted = copy.deepcopy(self.read(text))
        wanted = {} if wanted is None else wanted
        parent = _parent(wanted, path, create=True)
        parent[path[-1]] = value
        return self._verified(self.write_value(text, path, value), wanted)

    def remove(self, text: str, path: KeyPath) -> str:
        """The text without this value, in which all else is as it was. The path has two keys."""
        wanted = copy.deepcopy(self.read(text))
        parent = _parent(wanted, path, create=False)
        del parent[path[-1]]
        edited = self.drop_value(text, path)
        if not parent and path[-2] not in self.read(edited):
            del wanted[path[-2]]  # a TOML table without entries has no line of its own
        return self._verified(edited, wanted)

    def _verified(self, text: str, wanted: Any) -> str:
        if self.read(text) != wanted:
            raise Unreadable("it is written in a way that this program cannot edit safely")
        return text


def nested(path: KeyPath, value: Any) -> Any:
    """The value below the keys of a path."""
    for key in reversed(path):
        value = {key: value}
    return value


def _parent(value: Any, path: KeyPath, *, create: bool) -> dict[str, Any]:
    for depth, key in enumerate(path):
        if not isinstance(value, dict):
            raise Unreadable(f"{'.'.join(path[:depth]) or 'its content'} is no object, but {type(value).__name__}")
        if depth == len(path) - 1:
            break
        if create and value.get(key) is None:
            value[key] = {}
        value = value[key]
    return dict[str, Any]() if not isinstance(value, dict) else value
