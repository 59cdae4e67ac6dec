"""The words by which logs give a cause away, and how far each can be trusted.

They are those of the programs themselves: Kubernetes (kubelet, scheduler, containerd), huggingface_hub and
transformers, torch, vLLM, SGLang, Text Generation Inference, Text Embeddings Inference, llama.cpp, uvicorn.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from inference_endpoints.diagnosis.facts import Facts, Line
from inference_endpoints.diagnosis.finding import Cause, Quote

MOST_QUOTES = 4


@dataclass(frozen=True)
class Sign:
    """`weight` is the confidence that one such line alone is worth in an endpoint that failed."""

    weight: float
    pattern: re.Pattern[str]


def _sign(weight: float, *phrases: str) -> Sign:
    return Sign(weight, re.compile("|".join(phrases), re.IGNORECASE))


SIGNS: dict[Cause, tuple[Sign, ...]] = {
    Cause.IMAGE_PULL: (
        _sign(0.93, r"failed to pull (?:and unpack )?image", r"\b(?:ErrImagePull|ImagePullBackOff)\b"),
        _sign(0.9, r"back-off pulling image", r"manifest unknown", r"pull access denied", r"no matching manifest for"),
        _sign(0.7, r"exec format error"),
    ),
    Cause.GATED_MODEL: (
        _sign(0.95, r"\bGatedRepoError\b", r"cannot access gated repo", r"trying to access a gated repo\."),
        _sign(0.9, r"access to model \S{1,200} is restricted", r"you are not in the authorized list"),
    ),
    Cause.MISSING_MODEL: (
        _sign(0.93, r"\b(?:Repository|Revision)NotFoundError\b", r"\b(?:Repository|Revision) Not Found for url"),
        _sign(0.93, r"is not a local folder and is not a valid model identifier", r"is not a valid git identifier"),
        _sign(0.85, r"does not appear to have a file named", r"\bEntry Not Found for url", r"EntryNotFoundError"),
        _sign(0.85, r"cannot run on this machine\. These can", r"There is no file \S{1,500} on this machine"),
    ),
    Cause.ACCELERATOR_MEMORY: (
        _sign(0.93, r"\bCUDA out of memory", r"\bCUDA error: out of memory", r"cudaMalloc failed: out of memory"),
        _sign(0.93, r"\b(?:torch|cuda)\.OutOfMemoryError\b", r"\bHIP out of memory", r"NRT_RESOURCE\b"),
        _sign(0.9, r"no available memory for the cache blocks", r"not enough memory to handle \d+ prefill tokens"),
        _sign(0.9, r"larger than the (?:available KV cache memory|maximum number of tokens that can be stored in KV)"),
        _sign(0.85, r"is less than desired GPU memory utilization", r"try to increase --mem-fraction-static"),
    ),
    Cause.HOST_MEMORY: (
        _sign(0.9, r"\bOOMKilled\b", r"memory cgroup out of memory", r"DefaultCPUAllocator: can't allocate memory"),
        _sign(0.85, r"\bstd::bad_alloc\b", r"\bMemoryError\b", r"cannot allocate memory \(os error 12\)"),
        _sign(0.75, r"signaled to shutdown with signal 9\b", r"exit(?:ed with)? code:? 137\b", r"killed by signal 9\b"),
    ),
    Cause.HEALTH_ROUTE: (
        _sign(0.88, r"(?:readiness|startup|liveness) probe failed: .{0,80}statuscode: 40[45]\b"),
        _sign(0.5, r"(?:readiness|startup|liveness) probe failed"),  # as long as a model loads, that is usual
        _sign(0.8, r'"GET /(?:health|ping|healthz)\S{0,100} HTTP/[\d.]+" 40[45]\b'),
    ),
    Cause.CRASH_LOOP: (
        _sign(0.75, r"\bCrashLoopBackOff\b", r"back-off restarting failed container"),
        _sign(0.65, r"^The worker (?:exited|was killed|hangs|could not be started)", r"\bexit code \d+"),
        _sign(0.6, r"\bTraceback \(most recent call last\)", r"\bpanicked at\b", r"segmentation fault", r"core dumped"),
        _sign(
            0.55,
            r"(?:^|[\s)\]:])\w{1,40}(?:Error|Exception): ",
            r"\bcannot load \S{1,500}: \w+",
            r"error loading model",
        ),
        _sign(0.55, r"shard \d+ failed to start", r"ShardCannotStart", r"Engine core initialization failed"),
    ),
    Cause.NO_CAPACITY: (
        _sign(0.93, r"\d+/\d+ nodes are available: .{0,200}Insufficient", r"compute instance not available"),
        _sign(
            0.9, r"waiting to be scheduled: no core is free", r"\bFailedScheduling\b", r"InsufficientInstanceCapacity"
        ),
    ),
    Cause.QUOTA: (_sign(0.93, r"\bquota exceeded"),),
    Cause.OVERLOAD: (_sign(0.85, r"\bmodel is overloaded\b"), _sign(0.8, r'HTTP/[\d.]+" 429\b')),
    Cause.CLIENT_ERRORS: (
        _sign(0.75, r"\binput validation error: ", r"failed to deserialize the JSON body", r"template not found"),
        _sign(0.75, r"the model `[^`]{1,200}` does not exist"),
    ),
}


@dataclass(frozen=True)
class Seen:
    """The lines that speak for a cause, and the weight of the strongest."""

    weight: float = 0.0
    lines: tuple[Line, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Whether the control plane itself says so, and not the log alone."""
        return any(line.source == "status" for line in self.lines)

    def matching(self, pattern: str) -> bool:
        return any(re.search(pattern, line.text, re.IGNORECASE) for line in self.lines)


def seen(facts: Facts, cause: Cause) -> Seen:
    """The signs of a cause, weighed by where the endpoint stands: of one that serves, words alone prove little."""
    weight, found = 0.0, []
    for line in [*facts.status_lines, *facts.lines]:
        worth = max((sign.weight for sign in SIGNS[cause] if sign.pattern.search(line.text)), default=0.0)
        if worth:
            weight = max(weight, worth)
            found.append(line)
    if facts.stopped:
        weight *= 0.3
    elif not facts.given_up and not facts.starting:
        weight *= 0.5
    return Seen(weight, tuple(found))


def quotes(lines: Iterable[Line], most: int = MOST_QUOTES) -> tuple[Quote, ...]:
    """Different lines, the newest of them."""
    each = {line.text: line for line in lines}
    return tuple(Quote(line.source, line.text) for line in list(each.values())[-most:])
