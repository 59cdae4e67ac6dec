"""Whether a model fits into the memory of simulated hardware, and what its engine prints where it does not.

It follows from the model and the hardware alone, by the arithmetic that plans and diagnoses use. A model whose size is
not known fits.
"""

from inference_endpoints.engines.engine_memory import memory_with_engine, need_to_start, shorter_context, usable_gb
from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.engines.memory import GB, MemoryNeed, ModelMemory
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.models import ModelSettings
from inference_endpoints_local.models.hub_models import size_and_config
from inference_endpoints_local.models.instances import cloud_instance
from inference_endpoints_local.state.record import Spec

_GIB = 2**30


def memory_failure(spec: Spec) -> str:
    """The last lines of an engine that finds too little memory; empty where it finds enough."""
    instance = cloud_instance(spec["compute"].get("id") or "")
    settings = ModelSettings.model_validate(spec["model"])
    has = instance and (instance.gpu_memory_gb or instance.memory_gb)
    # The size of the one file that llama.cpp loads is not known here.
    if instance is None or not has or engine_name(settings) == "llamacpp":
        return ""
    accelerators = 1 if instance.accelerator == "cpu" else instance.num_accelerators
    memory = memory_with_engine(settings, *size_and_config(settings.repository), accelerators)
    if isinstance(memory, NotComputable):
        return ""
    usable = usable_gb(memory, has, accelerators)
    need = need_to_start(memory, settings)
    if need.total_gb <= usable:
        return ""
    if instance.accelerator == "cpu":
        return "Memory cgroup out of memory: Killed process 1\nOOMKilled: exit code 137"
    return _printed(engine_name(settings), memory, need, usable, shorter_context(memory, settings, usable))


def _printed(engine: str, memory: ModelMemory, need: MemoryNeed, usable_gb: float, longest: int | None) -> str:
    """In the words of vLLM, SGLang, Text Generation Inference or torch. Engines count GiB, on each accelerator."""
    share = GB / _GIB / memory.accelerators / memory.copies
    total, free = usable_gb * share, (usable_gb * need.used_share - need.weights_gb - need.engine_gb) * share
    if free <= 0 or not isinstance(need.kv_gb, float):
        allocation = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 256.00 MiB. "
        capacity = (
            f"GPU 0 has a total capacity of {total:.2f} GiB, which the weights of {need.weights_gb * share:.2f} GiB"
        )
        return f"{allocation}{capacity} leave no room in.\nEngine core initialization failed. Exit code 1"
    if engine == "tgi":
        return f"RuntimeError: Not enough memory to handle {need.context} prefill tokens.\nExit code 1"
    if engine == "sglang":
        return "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.\nExit code 1"
    estimate = f"the estimated maximum model length is {longest}. " if longest else "no request fits. "
    return (
        f"ValueError: To serve at least one request with the model's max seq len ({need.context}), "
        f"({need.kv_gb * share:.2f} GiB KV cache is needed, which is larger than the available KV cache memory "
        f"({free:.2f} GiB). Based on the available memory, {estimate}"
        "Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.\n"
        "Engine core initialization failed. Exit code 1"
    )
