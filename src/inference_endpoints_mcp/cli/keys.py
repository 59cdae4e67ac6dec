"""Add, list and remove the named keys of callers of `serve --http --keys FILE`."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from inference_endpoints_mcp.cli.settings.commands import KeySettings
from inference_endpoints_mcp.privacy.private_file import write_private_file
from inference_endpoints_mcp.server.http.sign_in.keys import NEVER, KeyFileError, NamedKey, read_keys

HEADER = "# Keys of callers. Written by `inference-endpoints-mcp keys`; a line that is removed is refused at once."


def run_keys(action: str, settings: KeySettings) -> int:
    """`action` is add, list or remove. Returns the exit code."""
    try:
        # The first key makes the file.
        keys = [] if action == "add" and not settings.keys.exists() else read_keys(settings.keys)
        match action:
            case "add":
                _add(settings, keys)
            case "remove":
                _remove(settings, keys)
            case _:
                _list(keys)
    except KeyFileError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _add(settings: KeySettings, keys: list[NamedKey]) -> None:
    name = _required_name(settings)
    if any(key.name == name for key in keys):
        raise KeyFileError(f"There is a key with the name {name}: remove it first.")
    expires = None if settings.days == 0 else _today() + timedelta(days=settings.days)
    try:
        added, key = NamedKey.create(name, expires, settings.profile)
    except ValueError:
        raise KeyFileError("The name of a key or a profile has letters, digits and . _ @ -, 64 at most.") from None
    _write(settings.keys, [*keys, added])
    print(f"{name} may call until {expires or 'its key is removed'}. This is its key, which is not shown again:")
    print(key)


def _remove(settings: KeySettings, keys: list[NamedKey]) -> None:
    name = _required_name(settings)
    kept = [key for key in keys if key.name != name]
    if len(kept) == len(keys):
        raise KeyFileError(f"There is no key with the name {name}.")
    _write(settings.keys, kept)
    print(f"{name} is refused from now on.")


def _list(keys: Sequence[NamedKey]) -> None:
    for key in keys:
        state = "" if key.is_valid(_today()) else "  expired"
        print(f"{key.name:<24} {key.expires or NEVER}  {key.profile or ''}{state}".rstrip())


def _required_name(settings: KeySettings) -> str:
    if settings.name is None:
        raise KeyFileError("Say whose key: --name NAME.")
    return settings.name


def _write(path: Path, keys: Sequence[NamedKey]) -> None:
    """Raises `KeyFileError`."""
    try:
        write_private_file(path, "\n".join([HEADER, *map(str, keys), ""]))
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}.") from error


def _today() -> date:
    return datetime.now(UTC).date()
