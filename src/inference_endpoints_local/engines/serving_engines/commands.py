"""The command line of vLLM or SGLang for an endpoint: its model and settings as the service's containers get them.

Flags by docs.vllm.ai ("vllm serve", 0.32) and docs.sglang.io ("Server Arguments"). They run as the operator installed
them, and outside any container. So a caller's arguments are those listed here: others name files of the node, let the
engine load code of a model's repository, or change where it listens.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.engines.engine_settings import HUB_TOKEN_VARIABLES
from inference_endpoints_local.engines.engine import CannotRun
from inference_endpoints_local.engines.programs import Program, ProgramResolver
from inference_endpoints_local.engines.serving_engines.exposition import SGLANG, VLLM, ExpositionMeter, MetricNames
from inference_endpoints_local.isolated_python import isolated
from inference_endpoints_local.state.record import Spec, instance_size

WORKER = "inference_endpoints_local.workers.engine_process"
LOAD_TIMEOUT_S = 3_600.0
"""How long one may take until it is healthy: it fetches its weights first."""
NODE_VARIABLES = frozenset(
    {
        *("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "XDG_CACHE_HOME", "CUDA_HOME", "CUDA_PATH"),
        # Ray sets these for each replica.
        *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
        *("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    }
)
"""What an engine gets of the node: where its libraries and caches are, and which accelerators the replica has."""
_SPELLINGS = {"fp8-e4-m3": "fp8_e4m3", "fp8-e5-m2": "fp8_e5m2"}
"""The engines' spelling of each type of the KV cache, by the service's spelling."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")


@dataclass(frozen=True)
class ServingEngine:
    """One engine. `command` starts it; the worker adds the port. `settings` are flags by the image's settings.

    `arguments` are the flags of a caller that it takes, and `switches` those without a value.
    """

    title: str
    command: Callable[[str], Sequence[str]]
    revision: str
    settings: Mapping[str, str]
    arguments: frozenset[str]
    switches: frozenset[str]
    metrics: MetricNames
    parallelism: str


ENGINES: Mapping[str, ServingEngine] = {
    "vLLM": ServingEngine(
        title="vLLM",
        command=lambda model: ("vllm", "serve", model),
        revision="--revision",
        settings={
            "tensorParallelSize": "--tensor-parallel-size",
            "dataParallelSize": "--data-parallel-size",
            "maxNumSeqs": "--max-num-seqs",
            "maxNumBatchedTokens": "--max-num-batched-tokens",
            "kvCacheDtype": "--kv-cache-dtype",
        },
        arguments=frozenset(
            {
                *("--max-model-len", "--dtype", "--quantization", "--kv-cache-dtype", "--gpu-memory-utilization"),
                *("--max-num-seqs", "--max-num-batched-tokens", "--block-size", "--swap-space", "--cpu-offload-gb"),
                *("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size", "--seed"),
                *("--tool-call-parser", "--reasoning-parser", "--max-logprobs", "--limit-mm-per-prompt"),
                *("--served-model-name", "--runner", "--convert", "--rope-scaling", "--rope-theta"),
            }
        ),
        switches=frozenset(
            {
                *("--enable-auto-tool-choice", "--enforce-eager", "--enable-prefix-caching"),
                *("--no-enable-prefix-caching", "--enable-chunked-prefill", "--no-enable-chunked-prefill"),
                *("--enable-expert-parallel", "--async-scheduling", "--disable-log-stats"),
            }
        ),
        metrics=VLLM,
        parallelism="tensorParallelSize",
    ),
    "sGLang": ServingEngine(
        title="SGLang",
        command=lambda model: ("python", "-m", "sglang.launch_server", "--model-path", model, "--enable-metrics"),
        revision="--revision",
        settings={
            "tensorParallelSize": "--tp-size",
            "maxRunningRequests": "--max-running-requests",
            "maxPrefillTokens": "--max-prefill-tokens",
            "chunkedPrefillSize": "--chunked-prefill-size",
            "kvCacheDtype": "--kv-cache-dtype",
        },
        arguments=frozenset(
            {
                *("--context-length", "--dtype", "--quantization", "--kv-cache-dtype", "--mem-fraction-static"),
                *("--max-running-requests", "--max-prefill-tokens", "--chunked-prefill-size", "--max-total-tokens"),
                *("--tp-size", "--dp-size", "--random-seed", "--schedule-policy", "--schedule-conservativeness"),
                *("--tool-call-parser", "--reasoning-parser", "--served-model-name", "--attention-backend"),
            }
        ),
        switches=frozenset(
            {
                *("--enable-metrics", "--disable-radix-cache", "--disable-cuda-graph", "--enable-torch-compile"),
                *("--is-embedding", "--enable-dp-attention", "--enable-mixed-chunk"),
            }
        ),
        metrics=SGLANG,
        parallelism="tensorParallelSize",
    ),
}
"""By the key of the image."""


def with_serving_engines(workers: ProgramResolver) -> ProgramResolver:
    """The program of a node: one of these engines for its image, else what `workers` finds. Raises CannotRun."""

    def find(spec: Spec) -> Program:
        key, settings = next(iter(spec["model"]["image"].items()))
        if (engine := ENGINES.get(key)) is not None:
            return engine_program(engine, settings, spec)
        if spec["compute"]["accelerator"] != "cpu":
            raise CannotRun(
                "model.image: on accelerators of a cluster vLLM and SGLang run, and this model's worker uses none. Set "
                'the image to {"vLLM": {"url": "vllm/vllm-openai"}}, or deploy on instance type cpu'
            )
        return workers(spec)

    return find


def engine_program(engine: ServingEngine, settings: Mapping[str, Any], spec: Spec) -> Program:
    """The program that serves this configuration. Raises CannotRun with what to change."""
    model, accelerators = spec["model"], instance_size(spec)
    repository, revision = model["repository"], model.get("revision")
    if spec["compute"]["accelerator"] == "cpu":
        raise CannotRun(f"model.image: {engine.title} needs an accelerator; deploy it on one of the cluster's types")
    if not _REPOSITORY.fullmatch(repository):
        raise CannotRun(f"model.repository: {repository} is no repository of the Hub, such as org/name")
    if revision and not _REVISION.fullmatch(revision):
        raise CannotRun(f"model.revision: {revision} is no branch, tag or commit")
    if model.get("command"):
        raise CannotRun(f"model.command: {engine.title} is started as the node has it. Leave the command out")
    if (wanted := settings.get(engine.parallelism) or 1) > accelerators:
        raise CannotRun(f"{engine.parallelism}: {wanted} is more than the {accelerators} accelerators of the instance")
    words = [*engine.command(repository)]
    words += [engine.revision, revision] if revision else []
    for name, flag in engine.settings.items():
        if (value := settings.get(name)) is not None:
            words += [flag, _SPELLINGS.get(value, str(value))]
    words += _arguments_of_caller(engine, model.get("args") or ())
    return Program(
        isolated(WORKER),
        model.get("task") or "text-generation",
        lambda *_: {},
        HUB_TOKEN_VARIABLES,
        node_variables=NODE_VARIABLES,
        settings={"command": words},
        load_timeout_s=LOAD_TIMEOUT_S,
        meter=lambda: ExpositionMeter(engine.metrics),
        has_children=True,
    )


def _arguments_of_caller(engine: ServingEngine, words: Sequence[str]) -> list[str]:
    """Checked: flags of the list, each with its value. Raises CannotRun."""
    left, checked = list(words), []
    while left:
        word = left.pop(0)
        flag, equals, _ = word.partition("=")
        flag = flag.replace("_", "-")
        if flag in engine.switches and not equals:
            checked.append(flag)
        elif flag not in engine.arguments:
            known = ", ".join(sorted(engine.arguments | engine.switches))
            raise CannotRun(f"model.args: {word} is not among the arguments that {engine.title} takes here: {known}")
        elif equals:
            checked.append(flag + word[len(flag) :])
        elif not left or left[0].startswith("--"):
            raise CannotRun(f"model.args: {word} has no value")
        else:
            checked += [flag, left.pop(0)]
    return checked
