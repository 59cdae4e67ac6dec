"""Patterns of log lines that indicate a cause, each with the confidence that it deserves.

The phrases come from the programs themselves: Kubernetes (kubelet, scheduler, containerd), huggingface_hub and
transformers, torch, vLLM, SGLang, Text Generation Inference, Text Embeddings Inference, llama.cpp, uvicorn.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference_endpoints.diagnosis.evidence import Evidence, EvidenceLine
from inference_endpoints.diagnosis.finding import Cause, Quote

MAX_QUOTES = 4


@dataclass(frozen=True)
class LogPattern:
    """`weight` is the confidence in a cause if a failed endpoint has one such line."""

    weight: float
    pattern: re.Pattern[str]


def _match(weight: float, *phrases: str) -> LogPattern:
    return LogPattern(weight, re.compile("|".join(phrases), re.IGNORECASE))


LOG_PATTERNS: dict[Cause, tuple[LogPattern, ...]] = {
    Cause.IMAGE_PULL: (
        _match(0.93, r"failed to pull (?:and unpack )?image", r"\b(?:ErrImagePull|ImagePullBackOff)\b"),
        _match(0.9, r"back-off pulling image", r"manifest unknown", r"pull access denied", r"no matching manifest for"),
        _match(0.7, r"exec format error"),
    ),
    Cause.GATED_MODEL: (
        _match(0.95, r"\bGatedRepoError\b", r"cannot access gated repo", r"trying to access a gated repo\."),
        _match(0.9, r"access to model \S{1,200} is restricted", r"you are not in the authorized list"),
    ),
    Cause.MISSING_MODEL: (
        _match(0.93, r"\b(?:Repository|Revision)NotFoundError\b", r"\b(?:Repository|Revision) Not Found for url"),
        _match(0.93, r"is not a local folder and is not a valid model identifier", r"is not a valid git identifier"),
        _match(0.85, r"does not appear to have a file named", r"\bEntry Not Found for url", r"EntryNotFoundError"),
        _match(0.85, r"cannot run on this machine\. These can", r"There is no file \S{1,500} on this machine"),
    ),
    Cause.ACCELERATOR_MEMORY: (
        _match(0.93, r"\bCUDA out of memory", r"\bCUDA error: out of memory", r"cudaMalloc failed: out of memory"),
        _match(0.93, r"\b(?:torch|cuda)\.OutOfMemoryError\b", r"\bHIP out of memory", r"NRT_RESOURCE\b"),
        _match(0.9, r"no available memory for the cache blocks", r"not enough memory to handle \d+ prefill tokens"),
        _match(0.9, r"larger than the (?:available KV cache memory|maximum number of tokens that can be stored in KV)"),
        _match(0.85, r"is less than desired GPU memory utilization", r"try to increase --mem-fraction-static"),
    ),
    Cause.HOST_MEMORY: (
        _match(0.9, r"\bOOMKilled\b", r"memory cgroup out of memory", r"DefaultCPUAllocator: can't allocate memory"),
        _match(0.85, r"\bstd::bad_alloc\b", r"\bMemoryError\b", r"cannot allocate memory \(os error 12\)"),
        _match(
            0.75, r"signaled to shutdown with signal 9\b", r"exit(?:ed with)? code:? 137\b", r"killed by signal 9\b"
        ),
    ),
    Cause.HEALTH_ROUTE: (
        _match(0.88, r"(?:readiness|startup|liveness) probe failed: .{0,80}statuscode: 40[45]\b"),
        _match(0.5, r"(?:readiness|startup|liveness) probe failed"),  # usual while a model loads
        _match(0.8, r'"GET /(?:health|ping|healthz)\S{0,100} HTTP/[\d.]+" 40[45]\b'),
    ),
    Cause.CRASH_LOOP: (
        _match(0.75, r"\bCrashLoopBackOff\b", r"back-off restarting failed container"),
        _match(0.65, r"^The worker (?:exited|was killed|hangs|could not be started)", r"\bexit code \d+"),
        _match(
            0.6, r"\bTraceback \(most recent call last\)", r"\bpanicked at\b", r"segmentation fault", r"core dumped"
        ),
        _match(
            0.55,
            r"(?:^|[\s)\]:])\w{1,40}(?:Error|Exception): ",
            r"\bcannot load \S{1,500}: \w+",
            r"error loading model",
        ),
        _match(0.55, r"shard \d+ failed to start", r"ShardCannotStart", r"Engine core initialization failed"),
    ),
    Cause.NO_CAPACITY: (
        _match(0.93, r"\d+/\d+ nodes are available: .{0,200}Insufficient", r"compute instance not available"),
        _match(
            0.9,
            r"waiting to be scheduled: no (?:\S{1,96} is free|node of the cluster has)",
            r"\bFailedScheduling\b",
            r"InsufficientInstanceCapacity",
        ),
    ),
    Cause.QUOTA: (_match(0.93, r"\bquota exceeded"),),
    Cause.OVERLOAD: (_match(0.85, r"\bmodel is overloaded\b"), _match(0.8, r'HTTP/[\d.]+" 429\b')),
    Cause.CLIENT_ERRORS: (
        _match(0.75, r"\binput validation error: ", r"failed to deserialize the JSON body", r"template not found"),
        _match(0.75, r"the model `[^`]{1,200}` does not exist"),
    ),
}


# uvicorn, vLLM, llama.cpp, Text Embeddings Inference.
_LISTENING = re.compile(
    r"(?:uvicorn running on|API server \d+ on|server is listening on|starting HTTP server:|listening on)"
    r" (?:https?://)?(?:[\d.]+|\[[\da-f:]+\]):(\d{2,5})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LogMatches:
    """The lines that indicate a cause, and the weight of the strongest."""

    weight: float = 0.0
    lines: tuple[EvidenceLine, ...] = ()

    @property
    def are_confirmed(self) -> bool:
        """Whether the control plane itself reports the cause, and not the log alone."""
        return any(line.source == "status" for line in self.lines)

    @property
    def confidence(self) -> float:
        """The weight, slightly raised if the control plane confirms it."""
        return min(0.97, self.weight + 0.03) if self.are_confirmed else self.weight

    def contain(self, pattern: str) -> bool:
        return any(re.search(pattern, line.text, re.IGNORECASE) for line in self.lines)


def match_log_patterns(evidence: Evidence, cause: Cause) -> LogMatches:
    """The lines that indicate this cause. Unless an endpoint failed or is starting, they prove less."""
    weight, found = 0.0, []
    for line in [*evidence.status_lines, *evidence.log_lines]:
        matched = max((known.weight for known in LOG_PATTERNS[cause] if known.pattern.search(line.text)), default=0.0)
        if matched:
            weight = max(weight, matched)
            found.append(line)
    if evidence.is_stopped:
        weight *= 0.3
    elif not evidence.has_failed and not evidence.is_starting:
        weight *= 0.5
    return LogMatches(weight, tuple(found))


def match_earlier(evidence: Evidence, cause: Cause) -> bool:
    """Whether the log from before the endpoint's last change indicates this cause."""
    patterns = LOG_PATTERNS.get(cause, ())
    return any(known.pattern.search(line.text) for line in evidence.earlier_lines for known in patterns)


def find_listening_port(lines: Sequence[EvidenceLine]) -> tuple[int, EvidenceLine] | None:
    """The port that the container last reported to listen on, with the line that names it."""
    for line in reversed(lines):
        match = _LISTENING.search(line.text)
        if match and int(match[1]) < 65_536:
            return int(match[1]), line
    return None


def quote_lines(lines: Iterable[EvidenceLine], limit: int = MAX_QUOTES) -> tuple[Quote, ...]:
    """The newest `limit` lines with different texts."""
    by_text = {line.text: line for line in lines}
    return tuple(Quote(line.source, line.text) for line in list(by_text.values())[-limit:])
