"""The start of a simulated replica as a script: its phases, and the failures that can be requested by name.

A script prints the messages of the real programs: of Kubernetes, huggingface_hub, torch, vLLM and Text Generation
Inference.
"""

from dataclasses import dataclass

from inference_endpoints.engines.engine_settings import HUB_TOKEN_VARIABLES
from inference_endpoints_local.engines.engine import NOT_SCHEDULED, ReplicaStage, ReplicaState
from inference_endpoints_local.engines.simulated_memory import memory_failure
from inference_endpoints_local.models.hub_models import find, size_and_config
from inference_endpoints_local.state.record import Spec, instance_size

FAULT_VARIABLE = "SIMULATED_FAULT"
"""Tests cause failures with it. Without it they follow from the configuration: a model that is too large, one that is
gated without a token, a port on which the container does not listen, hardware of which none is free."""
_USUAL_PORTS = {"vllm/vllm-openai": 8000, "lmsysorg/sglang": 30_000}
"""Of containers that ignore the endpoint's port, unless their arguments name one."""
SCHEDULED_S = 5.0
SLOW_FACTOR = 10.0
FOREVER = float("inf")
OVERLOADED = "Engine 000: Avg generation throughput: 1042.6 tokens/s, Running: 256 reqs, Waiting: 812 reqs"


@dataclass(frozen=True)
class StartTimes:
    """A start on one accelerator: when the image is pulled and the model loaded, in seconds from the launch."""

    pulled: float
    loaded: float


# Measured on the service in October 2026.
FIRST_START = StartTimes(65.0, 157.0)
"""Text Embeddings Inference on a T4. Later deployments took 51 to 62 s."""
LOADED_7B_S, WEIGHTS_7B_GB = 458.0, 15.2
"""vLLM with 7B parameters on an A10G. Larger models are not measured: they take as long."""
WAKE = StartTimes(SCHEDULED_S, 40.0)
"""A version that has started before: its image is there. Waking took 36 to 42 s."""


@dataclass(frozen=True)
class ScriptPhase:
    """The state until `until` seconds after the launch. `log` is printed when the phase begins."""

    until: float
    state: ReplicaState
    log: str = ""


def first_start(spec: Spec) -> StartTimes:
    """The times of a version that starts for the first time: the more weights, the longer."""
    weights_gb, _ = size_and_config(spec["model"]["repository"])
    share = min(1.0, (weights_gb or 0.0) / WEIGHTS_7B_GB)
    return StartTimes(FIRST_START.pulled, FIRST_START.loaded + share * (LOADED_7B_S - FIRST_START.loaded))


def startup_script(spec: Spec, times: StartTimes) -> tuple[ScriptPhase, ...]:
    """The phases of a start. Larger instances take longer: they load more shards."""
    fault = str(spec["model"]["env"].get(FAULT_VARIABLE))
    accelerators = instance_size(spec)
    factor = (1 + 0.25 * (accelerators - 1)) * (SLOW_FACTOR if fault == "slow_start" else 1.0)
    settings = next(iter(spec["model"]["image"].values()))
    url = settings.get("url") or "huggingface/inference-endpoints:latest"
    repository = spec["model"]["repository"]
    waiting = ScriptPhase(SCHEDULED_S * factor, ReplicaState(ReplicaStage.WAITING, NOT_SCHEDULED))
    image = f"Container image {url} already present on machine" if times is WAKE else f"Pulling image {url}"
    pulling = ScriptPhase(times.pulled * factor, ReplicaState(ReplicaStage.PULLING, "pulling the image"), image)
    loading = ScriptPhase(
        times.loaded * factor,
        ReplicaState(ReplicaStage.STARTING, "loading the model"),
        f"Loading {repository} ({accelerators} of {accelerators} shards to go)",
    )
    match fault:
        case "no_capacity":
            return (ScriptPhase(FOREVER, waiting.state, "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."),)
        case "image_pull_failure":
            return waiting, pulling, _exit(f'Failed to pull image "{url}": manifest unknown', None, fatal=True)
    configured = settings.get("port") or 80
    listens_on = 8000 if fault == "wrong_port" else listening_port(spec, configured)
    ready = ScriptPhase(FOREVER, ReplicaState(ReplicaStage.READY, "ready"), f"Listening on 0.0.0.0:{listens_on}")
    if listens_on != configured:
        route = settings.get("healthRoute") or "/health"
        lines = (
            f"Starting vLLM API server 0 on http://0.0.0.0:{listens_on}\n"
            f'Readiness probe failed: Get "http://10.0.0.7:{configured}{route}": dial tcp 10.0.0.7:{configured}: '
            "connect: connection refused"
        )
        unanswered = ReplicaState(ReplicaStage.STARTING, "waiting for the health route to answer")
        ready = ScriptPhase(FOREVER, unanswered, lines)
    elif fault == "overload":
        ready = ScriptPhase(FOREVER, ready.state, f"{ready.log}\n{OVERLOADED}\nERROR Model is overloaded")
    if fault in ("", "None") and _is_refused_by_hub(spec):
        fault = "gated_model"
    return waiting, pulling, loading, _load_failure(fault, repository) or _memory_failure(spec) or ready


def listening_port(spec: Spec, configured: int) -> int:
    """The port on which a container listens: its own where it ignores the endpoint's."""
    image, settings = next(iter(spec["model"]["image"].items()))
    given = [*(spec["model"].get("command") or ()), *(spec["model"].get("args") or ())]
    flags = " ".join(map(str, given)).replace("--port=", "--port ").split()
    named = flags[flags.index("--port") + 1 : flags.index("--port") + 2] if "--port" in flags else []
    usual = next((port for name, port in _USUAL_PORTS.items() if name in str(settings.get("url"))), configured)
    if image != "custom" or (usual == configured and not named):
        return configured
    return int(named[0]) if named and named[0].isdecimal() else usual


def _is_refused_by_hub(spec: Spec) -> bool:
    """Whether the model is gated, and the endpoint has no token. Whether a token has access is not simulated."""
    known = find(spec["model"]["repository"])
    names = {name.upper() for name in spec["model"].get("secrets") or ()}
    return known is not None and bool(known.gated) and not names & HUB_TOKEN_VARIABLES


def _memory_failure(spec: Spec) -> ScriptPhase | None:
    lines = memory_failure(spec)
    return _exit(lines, 137 if "exit code 137" in lines else 1) if lines else None


def _load_failure(fault: str, repository: str) -> ScriptPhase | None:
    """The phase in which loading the model fails; None if it does not."""
    hub = f"https://huggingface.co/{repository}"
    lines = {
        "crash_on_start": "RuntimeError: Failed to load the model: weights are not in a known format\nExit code 1",
        "out_of_memory": "CUDA out of memory. Tried to allocate 2.00 GiB\nOOMKilled: exit code 137",
        "out_of_host_memory": "Shard process was signaled to shutdown with signal 9\nOOMKilled: exit code 137",
        "gated_model": (
            "huggingface_hub.errors.GatedRepoError: 403 Client Error.\n"
            f"Cannot access gated repo for url {hub}/resolve/main/config.json.\n"
            f"Access to model {repository} is restricted and you are not in the authorized list. "
            f"Visit {hub} to ask for access."
        ),
        "missing_model": (
            f"OSError: {repository} is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'"
        ),
        "missing_revision": (
            "huggingface_hub.errors.RevisionNotFoundError: 404 Client Error.\n"
            f"Revision Not Found for url: {hub}/resolve/main/config.json."
        ),
    }.get(fault)
    return _exit(lines, 137 if "exit code 137" in lines else 1) if lines else None


def _exit(lines: str, code: int | None, fatal: bool = False) -> ScriptPhase:
    ended = ReplicaState(ReplicaStage.EXITED, error=lines, fatal=fatal, exit_code=code)
    return ScriptPhase(FOREVER, ended, lines)
