"""`hf endpoints …`, as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from tests.clients.conftest import CLOUD
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.daemon.connect import RunningPlane

LAUNCHER = Path(__file__).with_name("launcher.py")
CHAT = "HuggingFaceTB/SmolLM2-135M-Instruct"
HARDWARE = [
    *("--framework", "pytorch", "--accelerator", "cpu", "--vendor", "aws", "--region", "us-east-1"),
    *("--instance-type", "intel-spr", "--instance-size", "x1"),
]

Run = Callable[..., subprocess.CompletedProcess[str]]
Hf = Callable[..., Any]


@pytest.fixture
def run(plane: RunningPlane, tmp_path: Path) -> Run:
    """Runs `hf endpoints` with these words."""
    settings = {
        "HF_TOKEN": plane.token,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_EXPERIMENTAL_WARNING": "1",
        "NO_COLOR": "1",
    }

    def running(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(LAUNCHER), plane.url, "endpoints", *words]
        return subprocess.run(
            command, env=os.environ | settings, capture_output=True, text=True, timeout=HANG_TIMEOUT_S, check=False
        )

    return running


@pytest.fixture
def hf(run: Run) -> Hf:
    """The JSON it prints, once it has succeeded."""

    def succeeding(*words: str) -> Any:
        done = run(*words, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return succeeding


def test_an_endpoint_is_deployed_changed_and_deleted(hf: Hf) -> None:
    deployed = hf("deploy", "cli", "--repo", "gpt2", *HARDWARE, "--env", "A=1", "--secrets", "KEY=hidden")
    assert deployed["status"]["state"] == "pending"
    assert (deployed["model"]["env"], deployed["model"]["secrets"]) == ({"A": "1"}, {"KEY": None})
    (row,) = hf("ls")
    assert (row["name"], row["model"], row["vendor"], row["region"]) == ("cli", "gpt2", "aws", "us-east-1")
    changed = hf("update", "cli", "--min-replica", "0", "--max-replica", "3", "--container-args", "--fast --quiet")
    assert changed["compute"]["scaling"]["maxReplica"] == 3
    assert hf("describe", "cli")["model"]["args"] == ["--fast", "--quiet"]
    assert hf("delete", "cli", "--yes")["name"] == "cli"
    assert hf("ls") == []


def test_an_endpoint_is_put_to_sleep_paused_and_resumed(hub: HfApi, hf: Hf, run: Run) -> None:
    scaling: dict[str, Any] = {"min_replica": 0, "scale_to_zero_timeout": 2_880}
    endpoint = hub.create_inference_endpoint("cli", repository="gpt2", **scaling, **CLOUD)
    endpoint.wait(timeout=HANG_TIMEOUT_S, refresh_every=0.02)  # type: ignore[arg-type]
    assert hf("resume", "cli")["status"]["state"] == "running"
    assert run("resume", "cli", "--fail-if-already-running").returncode == 400 & 0xFF
    assert hf("scale-to-zero", "cli")["status"]["state"] == "scaledToZero"
    assert hf("pause", "cli")["status"]["state"] == "paused"
    assert hf("resume", "cli")["status"]["state"] == "pending"


def test_an_engine_with_its_container_is_deployed(hf: Hf) -> None:
    image = ["--engine", "vllm", "--custom-image", "vllm/vllm-openai:v1", "--tensor-parallel-size", "1", "--port", "80"]
    model = hf("deploy", "cli", "--repo", "org/model", *HARDWARE, *image)["model"]
    assert model["image"] == {"vLLM": {"url": "vllm/vllm-openai:v1", "port": 80, "tensorParallelSize": 1}}


def test_hardware_is_listed_and_filtered(hf: Hf) -> None:
    here = hf("hardware", "--vendor", "local")
    assert {one["instance_type"] for one in here} == {"cpu"}
    assert here[0]["price_per_hour"] == 0.0


def test_the_catalogue_is_listed_and_what_it_lacks_is_not_deployed(hf: Hf, run: Run) -> None:
    (row,) = hf("catalog", "ls", "--task", "text-generation", "--engine", "llamacpp")
    assert (row["repo_id"], row["engine"]) == (CHAT, "llamacpp")
    lacking = run("catalog", "deploy", "--recipe", "sizzling-biryani-g4xsi1ac")
    assert lacking.returncode == 404 & 0xFF
    assert "no such model or recipe" in lacking.stderr


@pytest.mark.models
def test_a_recipe_of_the_catalogue_is_deployed(hf: Hf) -> None:
    (row,) = hf("catalog", "ls", "--search", "minilm")
    deployed = hf("catalog", "deploy", "--recipe", row["recipe_id"], "--name", "cli")
    assert (deployed["name"], deployed["model"]["repository"]) == ("cli", row["repo_id"])
    assert hf("catalog", "deploy", "--repo", "fasttext/lid.176-ftz")["name"].startswith("lid-176-ftz-")


def test_a_refusal_ends_it_with_the_planes_own_message(run: Run) -> None:
    missing = run("describe", "none")
    assert missing.returncode == 404 & 0xFF
    assert "Not Found: endpoint none" in missing.stderr
