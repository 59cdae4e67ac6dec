"""Which files a call may send to a model, and where the files that models make are written: the operator says."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from inference_endpoints.confined_files import ConfinedFolders, NoConfinedFile
from inference_endpoints.errors import BadRequest, InferenceEndpointTimeoutError, Refused

MAX_FILE_BYTES = 24 * 1024 * 1024
"""Bytes of one image or sound that is sent to a model."""
READ_TIMEOUT_S = 10.0
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class MediaAccess:
    """Nothing is allowed by default. `hosts`: from where files may be fetched, `.acme.example` for all below it."""

    folders: ConfinedFolders | None = None
    output_folder: Path | None = None
    hosts: Sequence[str] = ()

    async def read(self, path: str) -> bytes:
        """A file of the operator's folders. The error for one that does not exist is that for one that is not allowed.

        Raises `Refused` or `BadRequest`.
        """
        if self.folders is None:
            raise Refused(
                "This server may read no files.",
                hint="The operator allows folders with --media-folders. Or use a data URI.",
            )
        try:
            with anyio.fail_after(READ_TIMEOUT_S):
                return await anyio.to_thread.run_sync(self._read, self.folders, path, abandon_on_cancel=True)
        except TimeoutError as error:
            raise InferenceEndpointTimeoutError("The disk did not answer.", hint="Try again.") from error
        except (NoConfinedFile, OSError, RuntimeError) as error:  # of expanduser: it knows no such user
            raise BadRequest(
                f"There is no such file in {self.folders}, or it may not be read.",
                hint="Name a regular file there by its absolute path, without links.",
            ) from error

    def _read(self, folders: ConfinedFolders, path: str) -> bytes:
        with folders.open(Path(path).expanduser().absolute()) as file:
            if file.size > MAX_FILE_BYTES:
                raise too_large()
            return file.read(MAX_FILE_BYTES, 0)

    def write(self, name: str, content: bytes) -> Path | None:
        """A new file in the output folder that only the owner can read; None without a folder, or if it is full.

        `name` is the beginning and the end of its name, separated by a dot.
        """
        if self.output_folder is None:
            return None
        stem, _, ending = name.partition(".")
        path = self.output_folder / f"{stem}-{secrets.token_hex(4)}.{ending or 'bin'}"
        try:
            descriptor = os.open(path, _NEW_FILE, _OWNER_ONLY)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            return None
        return path


def too_large() -> BadRequest:
    return BadRequest(f"The file is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB.", hint="Use a smaller one.")
