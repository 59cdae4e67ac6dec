"""What schemathesis makes from the plane's OpenAPI document: the plane answers all of it as described."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.plane import running_plane
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.service.captures import CAPTURES

from inference_endpoints.transport.http import httpx
from inference_endpoints_local.daemon.connect import RunningPlane

HERE = Path(__file__).parent
EXCLUDED = ("lease", "watch_endpoint", "stop", "arm_fault", "follow_logs", "follow_logs_v2")
"""A lease and a stream last as long as the plane or the endpoint. Stopping would end the plane. An armed fault would
happen to other operations."""


@pytest.fixture
def plane() -> Iterator[RunningPlane]:
    """With one endpoint, `chat`."""
    with running_plane() as plane:
        created = httpx.post(
            f"{plane.url}/v2/endpoint/acme",
            json=json.loads((CAPTURES / "create-minimal-hub-2.4.0.json").read_text()) | {"name": "chat"},
            headers={"Authorization": f"Bearer {plane.token}"},
            timeout=HANG_TIMEOUT_S,
        )
        created.raise_for_status()
        yield plane


@pytest.mark.parametrize(
    "chosen",
    [
        [f"--exclude-operation-id={name}" for name in EXCLUDED],
        ["--include-operation-id=arm_fault", "--phases=coverage,fuzzing"],
    ],
    ids=["all", "faults"],
)
@pytest.mark.timeout(600)  # thousands of requests
def test_schemathesis_finds_nothing(plane: RunningPlane, tmp_path: Path, chosen: list[str]) -> None:
    """No crash, nothing undocumented, nothing invalid accepted, nothing valid refused, nothing without the token."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    settings = {
        "PLANE_TOKEN": plane.token,
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [*command, f"{plane.url}/openapi.json", *chosen],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
