"""Causes of too little memory: computed with the arithmetic of plans, and compared with what the replicas show."""

from inference_endpoints.deploy.sizing.memory_check import MemoryCheck
from inference_endpoints.diagnosis.causes.startup_causes import COMPUTED_CONFIDENCE, CONTRADICTED_FACTOR
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import LIST_HARDWARE, READ_LOGS, Cause, Finding, Remedy, remedy_by_update
from inference_endpoints.diagnosis.log_patterns import match_log_patterns, quote_lines
from inference_endpoints.diagnosis.remedies.engine_changes import set_context, set_parallelism
from inference_endpoints.diagnosis.remedies.hardware_changes import (
    cheapest_with_enough_memory,
    more_accelerator_memory,
    more_host_memory,
    remedy_by_move,
)
from inference_endpoints.engines.engine_settings import accelerators_used, engine_name

KILLED = 137
"""The exit code of a container that was ended by signal 9, as the kernel does where main memory runs out."""
KILLED_CONFIDENCE = 0.7
"""In a lack of main memory where the exit code alone shows it."""


def detect_out_of_accelerator_memory(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY)
    on_accelerator = evidence.endpoint.compute.accelerator != "cpu"
    shortage = evidence.memory_shortage if on_accelerator else None
    computed = COMPUTED_CONFIDENCE if shortage and evidence.has_failed else 0.0
    if not matches.weight and not computed:
        return None
    memory = evidence.offer.instance.gpu_memory_gb if evidence.offer else None
    has = (f"A replica has {evidence.accelerators} accelerator(s), {memory:g} GB in all.",) if memory else ()
    fits = on_accelerator and evidence.fits_for_certain
    contradiction = (f"Against it: by computation the model fits. {evidence.memory_check}",) if fits else ()
    return Finding(
        Cause.ACCELERATOR_MEMORY,
        max(matches.confidence, computed) * (CONTRADICTED_FACTOR if fits else 1.0),
        "The model does not fit into the accelerator's memory",
        _reduce_what_it_reserves() if fits else _choose_memory_remedy(evidence, shortage),
        (*has, *([str(shortage)] if shortage else []), *contradiction),
        quote_lines(matches.lines),
    )


def _reduce_what_it_reserves() -> Remedy:
    return Remedy(
        "Hardware with more memory costs more, and may fail alike. Let the engine do less at once, e.g. with "
        '--max-num-seqs 32 or a shorter --max-model-len of vLLM in config={"model": {"args": […]}}.',
        (READ_LOGS,),
    )


def _choose_memory_remedy(evidence: Evidence, shortage: MemoryCheck | None) -> Remedy:
    """A shorter context where that suffices, else the cheapest hardware that holds the model as it is set."""
    otherwise = "Or reduce what it needs: a shorter context, smaller batches, or quantized weights."
    larger = cheapest_with_enough_memory(evidence) if shortage else None
    if shortage and shortage.shorter_context:
        change = set_context(evidence.endpoint, shortage.shorter_context)
        if change is not None:
            there = f"{larger.id} ({larger.memory_gb:g} GB, ${larger.price or 0:g}/h)" if larger else ""
            also = f" The cheapest hardware that holds the whole context is {there}." if there else ""
            set_to = f"Set a context of {shortage.shorter_context:,} tokens, which fits at the same price."
            return remedy_by_update(change, set_to + also)
    if larger is not None:
        return remedy_by_move(evidence, larger, ", the cheapest that holds it", otherwise)
    if shortage is not None:
        return Remedy(
            f"No available hardware in its region holds it as its engine is set: it needs {shortage.need.total_gb:.3g} "
            f"GB, and with less it would fail alike. {otherwise}",
            (LIST_HARDWARE,),
        )
    more = more_accelerator_memory(evidence)
    return remedy_by_move(evidence, more, ", the cheapest with more memory", otherwise)


def detect_out_of_host_memory(evidence: Evidence) -> Finding | None:
    matches, codes = match_log_patterns(evidence, Cause.HOST_MEMORY), evidence.exit_codes
    failing = evidence.has_failed or evidence.is_starting
    killed = codes[KILLED] if failing else 0
    if not matches.weight and not killed:
        return None
    memory = evidence.offer.instance.memory_gb if evidence.offer else None
    on_cpu = evidence.endpoint.compute.accelerator == "cpu"
    # A container may also be killed because its accelerator lacked memory.
    accelerator_too = bool(match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY).weight)
    ended_by_itself = bool(codes) and not killed
    statements = [f"A replica has {memory:g} GB of main memory."] if memory else []
    statements += [str(evidence.memory_shortage)] if evidence.memory_shortage and on_cpu else []
    statements += [f"{killed} replica(s) were killed: exit code {KILLED}."] if killed else []
    if ended_by_itself:
        found = ", ".join(map(str, sorted(codes)))
        statements.append(f"Against it: no replica was killed. They ended by themselves, with exit code {found}.")
    factor = (0.8 if accelerator_too else 1.0) * (CONTRADICTED_FACTOR if ended_by_itself else 1.0)
    larger = (cheapest_with_enough_memory(evidence) if on_cpu else None) or more_host_memory(evidence)
    return Finding(
        Cause.HOST_MEMORY,
        max(matches.confidence, KILLED_CONFIDENCE if killed else 0.0) * factor,
        "The container was killed because it used more main memory than its hardware has",
        remedy_by_move(evidence, larger, " with more main memory", "Or use a smaller or quantized model."),
        tuple(statements),
        quote_lines(matches.lines),
    )


def detect_missing_parallelism(evidence: Evidence) -> Finding | None:
    """The engine's settings use another number of accelerators than a replica has."""
    existing, used = evidence.accelerators, accelerators_used(evidence.endpoint.model)
    if used is None or used == existing or evidence.is_stopped or evidence.endpoint.compute.accelerator == "cpu":
        return None
    change = set_parallelism(evidence.endpoint, existing)
    memory_matches = match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY)
    setting = {"tgi": "--num-shard"}.get(engine_name(evidence.endpoint.model), "tensor parallelism")
    text = f"Set {setting} to {existing}, or use hardware with {used} accelerator(s)."
    return Finding(
        Cause.PARALLELISM,
        0.98 if memory_matches.weight > 0 or used > existing else 0.75,
        f"The engine's settings use {'fewer' if used < existing else 'more'} accelerators than a replica has; "
        "all of a replica's accelerators are billed",
        remedy_by_update(change, text) if change else Remedy(text),
        (f"A replica has {existing} accelerator(s); the engine's settings use {used}.",),
        quote_lines(memory_matches.lines, 2),
    )
