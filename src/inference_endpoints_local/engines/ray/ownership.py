"""Which applications of a cluster are this plane's, and the secrets of each.

They follow from one key in the data folder: a plane that was killed finds its replicas again, with their secrets.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

_KEY = re.compile(rb"[0-9a-f]{64}")
_NAME = re.compile(r"ie-(?P<plane>[0-9a-f]{8})-(?P<endpoint>[a-z0-9]{16})-(?P<generation>\d+)-(?P<suffix>[0-9a-f]{5})")


@dataclass(frozen=True)
class ReplicaName:
    """The name of an application of ours."""

    plane: str
    endpoint_id: str
    generation: int
    suffix: str

    def __str__(self) -> str:
        return f"ie-{self.plane}-{self.endpoint_id}-{self.generation}-{self.suffix}"

    @classmethod
    def parse(cls, name: str) -> "ReplicaName | None":
        found = _NAME.fullmatch(name)
        return cls(found["plane"], found["endpoint"], int(found["generation"]), found["suffix"]) if found else None

    @property
    def replica_id(self) -> str:
        """The replica's name in documents and logs."""
        return f"{self.endpoint_id[:8]}-{self.suffix}"


class PlaneKey:
    """The key of a data folder. Raises OSError where it can be neither read nor written."""

    def __init__(self, path: Path) -> None:
        if not path.exists() or not _KEY.fullmatch(path.read_bytes()):
            fresh = path.with_name(f"{path.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(32), encoding="ascii")
            fresh.replace(path)  # so that no key is ever a part of one
        self._key = path.read_bytes()
        self.plane = hashlib.sha256(self._key).hexdigest()[:8]

    @property
    def prefix(self) -> str:
        """How the names of this plane's applications begin."""
        return f"ie-{self.plane}-"

    def new_name(self, endpoint_id: str, generation: int) -> ReplicaName:
        return ReplicaName(self.plane, endpoint_id, generation, secrets.token_hex(3)[:5])

    def call_secret(self, name: str) -> str:
        """The bearer token of calls of the endpoint to this replica."""
        return self._secret("call", name)

    def control_secret(self, name: str) -> str:
        """The bearer token with which the plane gives this replica its order and reads its report."""
        return self._secret("control", name)

    def secret_hashes(self, name: str) -> dict[str, str]:
        """SHA-256 of both, by which the replica checks them. Ray shows it to whoever has Ray's token."""
        both = {"call_sha256": self.call_secret(name), "control_sha256": self.control_secret(name)}
        return {kind: hashlib.sha256(secret.encode()).hexdigest() for kind, secret in both.items()}

    def _secret(self, kind: str, name: str) -> str:
        return hmac.new(self._key, f"{kind} {name}".encode(), hashlib.sha256).hexdigest()
