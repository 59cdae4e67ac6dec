"""Where a server's Hugging Face token comes from. It is asked again when the service no longer accepts the last one."""

import os
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from inference_endpoints.errors import NotConfigured
from inference_endpoints.transport.token import hugging_face_token
from inference_endpoints_mcp.privacy.private_file import PrivateFileError, read_private_file

TokenSource = Callable[[], Awaitable[str | None]]
"""Gives the token of this moment. Raises `NotConfigured` where there should be one and is none."""

COMMAND_TIMEOUT_S = 30.0


async def token_of_this_machine() -> str | None:
    """HF_TOKEN, else what `hf auth login` saved."""
    return hugging_face_token()


def token_in_variable(name: str) -> TokenSource:
    async def read() -> str | None:
        token = os.environ.get(name, "").strip()
        if not token:
            raise NotConfigured(f"The variable {name} (--token-variable) has no token: nothing was sent.")
        return token

    return read


def token_in_file(path: Path) -> TokenSource:
    async def read() -> str | None:
        try:
            return read_private_file(path, "--token-file").strip()
        except PrivateFileError as error:
            raise NotConfigured(f"{error} Nothing was sent.") from error

    return read


def token_of_command(command: str) -> TokenSource:
    """The first line that a command prints. No shell runs it."""

    async def read() -> str | None:
        try:
            with anyio.fail_after(COMMAND_TIMEOUT_S):
                ended = await anyio.run_process(shlex.split(command), stderr=subprocess.DEVNULL, check=True)
        except (OSError, ValueError, subprocess.CalledProcessError, TimeoutError) as error:
            raise NotConfigured(
                "The command of --token-command gave no token: nothing was sent.",
                hint="Run it by hand: it must print the token and exit with 0.",
            ) from error
        lines = ended.stdout.decode(errors="replace").splitlines()
        return lines[0].strip() if lines else None

    return read
