"""Real worker processes."""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.models import catalogue, weights

SECRET = "5ec2e7" * 8


def until(condition: Callable[[], Any], seconds: float = HANG_TIMEOUT_S) -> Any:
    """The first true value of `condition`; fails once the deadline has passed."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the deadline passed"
        threading.Event().wait(0.01)
    return value


@dataclass
class WorkerProcess:
    """A started worker, as the plane sees it."""

    process: subprocess.Popen[bytes]
    log_file: Path
    url: str
    secret: str = SECRET

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def get(self, path: str, secret: str | None = SECRET) -> tuple[int, Any]:
        return self._send("GET", path, None, secret)

    def post(self, path: str, body: Any, secret: str | None = SECRET) -> tuple[int, Any]:
        return self._send("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), secret)

    def ready(self) -> "WorkerProcess":
        until(lambda: self.get("/health")[0] == 200)
        return self

    def stop(self) -> None:
        """End it in order, so that its coverage is written."""
        self.process.terminate()
        try:
            self.process.wait(HANG_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def _send(self, method: str, path: str, body: bytes | None, secret: str | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=HANG_TIMEOUT_S)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
        with closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.load(response)


Start = Callable[..., WorkerProcess]


def start_worker(command: list[str], folder: Path, **config: Any) -> WorkerProcess:
    """Start a worker and read its port. The model may still be loading."""
    log_file = folder / "worker.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder
        )
    assert process.stdin
    assert process.stdout
    # Not confined, so that its coverage can be written.
    order = {"endpoint": "test", "secret": SECRET, "confined": False, **config}
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    port = json.loads(process.stdout.readline())["port"]
    return WorkerProcess(process, log_file, f"http://127.0.0.1:{port}")


def start_model(repository: str, task: str, **config: Any) -> Iterator[WorkerProcess]:
    """A worker with a model of the catalogue, ended afterwards."""
    runnable = catalogue.resolve_model(repository, task)
    files = {role: str(path) for role, path in runnable.files(weights.default_cache_dir()).items()}
    with tempfile.TemporaryDirectory() as folder:
        module = ["-m", runnable.model.worker.module]
        worker = start_worker(module, Path(folder), model=repository, task=runnable.task, files=files, **config)
        try:
            yield worker.ready()
        finally:
            worker.stop()


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="session")
def chat_worker() -> Iterator[WorkerProcess]:
    yield from start_model("HuggingFaceTB/SmolLM2-135M-Instruct", "text-generation", parallel=1)


@pytest.fixture(scope="session")
def embed_worker() -> Iterator[WorkerProcess]:
    yield from start_model("sentence-transformers/all-MiniLM-L6-v2", "feature-extraction")


@pytest.fixture(scope="session")
def similarity_worker() -> Iterator[WorkerProcess]:
    yield from start_model("sentence-transformers/all-MiniLM-L6-v2", "sentence-similarity")


@pytest.fixture(scope="session")
def zero_shot_worker() -> Iterator[WorkerProcess]:
    yield from start_model("sentence-transformers/all-MiniLM-L6-v2", "zero-shot-classification")


@pytest.fixture(scope="session")
def language_worker() -> Iterator[WorkerProcess]:
    yield from start_model("fasttext/lid.176-ftz", "text-classification")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The gated worker is loaded once this file exists."""
    return tmp_path / "gate"


@pytest.fixture
def gated_worker(tmp_path: Path, gate: Path) -> Iterator[WorkerProcess]:
    script = str(Path(__file__).with_name("gated_worker.py"))
    worker = start_worker([script], tmp_path, model="none", task="counting", files={"gate": str(gate)})
    yield worker
    worker.stop()
