"""Keys of callers. The file of named keys holds their digests, so whoever reads it can call nothing with it.

Each line is a key: its name, the day from which it is no longer valid (or `never`), its SHA-256, and its profile, if it
has one. A slow hash is for passwords: these keys are random and long. Empty lines and comments (#) are ignored.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from inference_endpoints_mcp.privacy.private_file import PrivateFileError, read_private_file
from inference_endpoints_mcp.server.configuration.file_version import version_of

MIN_KEY_LENGTH = 16
NEVER = "never"
PROFILE = "profile"
"""The claim that says which profile a caller has."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class KeyFileError(ValueError):
    """A file of keys cannot be read, others can read it, or a line of it is not a key."""


@dataclass(frozen=True)
class NamedKey:
    """A caller's key. `expires` is the first day (UTC) on which it is refused; None for never."""

    name: str
    expires: date | None
    digest: str
    profile: str | None = None

    @classmethod
    def parse(cls, line: str) -> "NamedKey":
        """Raises ValueError for a line that is not a key."""
        name, expires, digest, *profile = line.split()
        if not all(map(_NAME.fullmatch, [name, *profile])) or not _DIGEST.fullmatch(digest) or len(profile) > 1:
            raise ValueError(line)
        return cls(name, None if expires == NEVER else date.fromisoformat(expires), digest, *profile)

    @classmethod
    def create(cls, name: str, expires: date | None, profile: str | None = None) -> tuple["NamedKey", str]:
        """A new key, and the secret that its caller sends. Raises ValueError for an invalid name."""
        if not all(map(_NAME.fullmatch, [name, profile or name])):
            raise ValueError(name)
        key = f"iemcp_{secrets.token_urlsafe(32)}"
        return cls(name, expires, digest_of(key), profile), key

    def __str__(self) -> str:
        return " ".join([self.name, str(self.expires or NEVER), self.digest, *([self.profile] if self.profile else [])])

    def is_valid(self, today: date) -> bool:
        return self.expires is None or today < self.expires


def digest_of(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def parse_keys(text: str) -> list[NamedKey]:
    """Raises `KeyFileError` with the number of the line that is not a key, or repeats a name or a key."""
    keys: list[NamedKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key = NamedKey.parse(line)
        except ValueError:
            raise KeyFileError(
                f"line {number} is not a key: NAME, YYYY-MM-DD or never, sha256:…, and a profile if it has one"
            ) from None
        if any(key.name == other.name or key.digest == other.digest for other in keys):
            raise KeyFileError(f"line {number} repeats a name or a key")
        keys.append(key)
    return keys


def read_keys(path: Path) -> list[NamedKey]:
    """Raises `KeyFileError`."""
    try:
        return parse_keys(read_private_file(path, "--keys"))
    except PrivateFileError as error:
        raise KeyFileError(str(error)) from error
    except KeyFileError as error:
        raise KeyFileError(f"{path} (--keys): {error}.") from error


class SharedKey:
    """One key that all callers send."""

    def __init__(self, key: str) -> None:
        self._digest = digest_of(key)

    async def verify_token(self, token: str) -> AccessToken | None:
        if not hmac.compare_digest(digest_of(token), self._digest):
            return None
        return AccessToken(token="", client_id="shared key", scopes=[])


class SharedKeyFile(SharedKey):
    """The same in a file (`--api-key-file`), read again when it changes. One that cannot be used changes nothing."""

    def __init__(self, path: Path, report: Callable[[str, Sequence[str]], None]) -> None:
        """Raises `KeyFileError`."""
        self._path = path
        self._report = report
        self._seen = version_of(path)
        super().__init__(_read_shared_key(path))

    async def verify_token(self, token: str) -> AccessToken | None:
        self._read_again()
        return await super().verify_token(token)

    def _read_again(self) -> None:
        version = version_of(self._path)
        if version == self._seen:
            return
        self._seen = version
        try:
            digest = digest_of(_read_shared_key(self._path))
        except KeyFileError as error:
            self._report(f"The shared key is unchanged: {error}", ())
            return
        if digest != self._digest:
            self._digest = digest
            self._report("The shared key has changed.", ())


def _read_shared_key(path: Path) -> str:
    """Raises `KeyFileError`."""
    try:
        key = read_private_file(path, "--api-key-file").strip()
    except PrivateFileError as error:
        raise KeyFileError(str(error)) from error
    if len(key) < MIN_KEY_LENGTH:
        raise KeyFileError(f"The key is shorter than {MIN_KEY_LENGTH} characters.")
    return key


class NamedKeys:
    """Keys by caller (`--keys`), read again when the file changes: a line that is gone is refused from then on.

    A file that cannot be used changes nothing: the keys that were valid stay so. `report` gets each change, as one
    sentence and the names. A key must have none but the profiles that exist now: a server without any would give it all
    rights.
    """

    def __init__(
        self,
        path: Path,
        report: Callable[[str, Sequence[str]], None],
        profiles: Callable[[], Collection[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises `KeyFileError`."""
        self._path = path
        self._report = report
        self._profiles = profiles
        self._clock = clock
        self._seen = self._version()
        self._keys = self._read()

    async def verify_token(self, token: str) -> AccessToken | None:
        self._read_again()
        key = self._keys.get(digest_of(token))
        if key is None or not key.is_valid(self._clock().date()):
            return None
        return AccessToken(token="", client_id=key.name, scopes=[], claims={PROFILE: key.profile})

    def _read(self) -> Mapping[str, NamedKey]:
        keys = read_keys(self._path)
        for key in keys:
            if key.profile is not None and key.profile not in self._profiles():
                raise KeyFileError(f"The key {key.name} has the profile {key.profile}, which --profiles does not have.")
        return {key.digest: key for key in keys}

    def _version(self) -> tuple[object, ...]:
        return version_of(self._path), frozenset(self._profiles())

    def _read_again(self) -> None:
        version = self._version()
        if version == self._seen:
            return
        self._seen = version
        try:
            keys = self._read()
        except KeyFileError as error:
            self._report(f"The keys are unchanged: {error}", ())
            return
        added, removed = keys.keys() - self._keys.keys(), self._keys.keys() - keys.keys()
        names = [*(f"+{keys[each].name}" for each in added), *(f"-{self._keys[each].name}" for each in removed)]
        if keys == self._keys:
            return
        self._keys = keys
        self._report("The keys were read again.", sorted(names))
