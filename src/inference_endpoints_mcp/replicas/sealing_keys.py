"""The operator's file of keys under which all replicas seal plans and questions."""

from pathlib import Path

from inference_endpoints_mcp.privacy.private_file import PrivateFileError, read_private_file

FLAG = "--sealing-keys"
_SHORTEST = 32


class ReplicasError(ValueError):
    """The settings of what replicas share cannot be used."""


def read_sealing_keys(path: Path) -> tuple[bytes, ...]:
    """One key a line, the newest first: it seals, and all open. Raises `ReplicasError`."""
    try:
        lines = [line.strip() for line in read_private_file(path, FLAG).splitlines()]
    except PrivateFileError as error:
        raise ReplicasError(str(error)) from error
    keys = tuple(line.encode() for line in lines if line and not line.startswith("#"))
    if not keys or len(set(keys)) < len(keys) or any(len(key) < _SHORTEST for key in keys):
        raise ReplicasError(
            f"{path} ({FLAG}) needs one key a line, the newest first, each different and of at least {_SHORTEST} "
            "characters: openssl rand -hex 32."
        )
    return keys
