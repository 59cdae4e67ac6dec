"""What installing and uninstalling change in a file."""

import difflib
from dataclasses import dataclass
from typing import Any

from inference_endpoints_mcp.install.backups import Backups
from inference_endpoints_mcp.install.config_file import ConfigFile
from inference_endpoints_mcp.install.errors import InstallError
from inference_endpoints_mcp.install.formats.text_format import TextFormat, Unreadable
from inference_endpoints_mcp.install.hosts import Host


@dataclass(frozen=True)
class Change:
    """A file, and what it will be. `after` is None if it will be deleted."""

    file: ConfigFile
    after: str | None

    @property
    def content(self) -> bytes | None:
        return None if self.after is None else self.file.encoded(self.after)

    @property
    def is_empty(self) -> bool:
        return self.content == self.file.content

    def difference(self) -> list[str]:
        """The lines of a unified diff."""
        before, after = self.file.text.splitlines(), (self.after or "").splitlines()
        name = str(self.file.path)
        return list(difflib.unified_diff(before, after, name, name, lineterm=""))

    def apply(self, backups: Backups) -> str:
        """Write it, and keep a copy of what was there. Returns where the copy is, or an empty text."""
        copy = backups.keep(self.file.content) if self.file.content is not None else ""
        self.file.replace(self.content)
        return str(copy)


def plan_install(file: ConfigFile, host: Host, entry: dict[str, Any]) -> Change:
    """Raises `InstallError` if the file cannot be edited safely."""
    return Change(file, _edit(file, host, file.text, entry))


def plan_uninstall(file: ConfigFile, host: Host, backups: Backups) -> Change | None:
    """None if the entry is not there. Where the file is what installing made of a copy, it becomes that copy again."""
    entry = installed_entry(file, host)
    if entry is None:
        return None
    text = file.text
    for content in backups.contents():
        copy = ConfigFile(file.path, content, file.is_linked, file.new_mode)
        if installed_entry(copy, host) is None and _edit(copy, host, copy.text, entry) == text:
            return Change(file, copy.text)
    if _edit(file, host, "", entry) == text:
        return Change(file, None)
    return Change(file, _explained(file, host.format, lambda: host.format.remove(text, host.path)))


def installed_entry(file: ConfigFile, host: Host) -> Any:
    """The entry that is there, or None."""
    return _explained(file, host.format, lambda: host.format.get(file.text, host.path))


def _edit(file: ConfigFile, host: Host, text: str, entry: dict[str, Any]) -> str:
    edited: str = _explained(file, host.format, lambda: host.format.set(text, host.path, entry))
    return edited


def _explained(file: ConfigFile, text_format: TextFormat, step: Any) -> Any:
    try:
        return step()
    except Unreadable as problem:
        where = f"{file.path} cannot be edited as {text_format.name}"
        raise InstallError(f"{where}: {problem}. Nothing was changed.") from None
