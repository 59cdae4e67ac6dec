"""The settings that each image may have in a request. Source: the service's OpenAPI document 2.0.0.

The service drops a setting that it does not know without an error, and refuses an unknown image or a wrong value.
"""

from collections.abc import Mapping
from typing import Literal

from inference_endpoints.models.settings.strict_object import FilledText, Int32, Port, StrictObject, Text


class HuggingfaceSettings(StrictObject):
    """The service's default container of a task: it has no settings."""


class HuggingfaceNeuronSettings(StrictObject):
    batch_size: Int32 | None = None
    sequence_length: Int32 | None = None
    neuron_cache: Text = ""


class ContainerSettings(StrictObject):
    """Settings of every container that is named by its URL. Those of hfServe and vLLMNeuron have no others."""

    url: FilledText
    port: Port | None = None
    health_route: Text | None = None


class _TextGenerationInferenceSettings(ContainerSettings):
    """Of Text Generation Inference on any accelerator."""

    max_batch_prefill_tokens: Int32 | None = None
    max_batch_total_tokens: Int32 | None = None
    max_input_length: Int32 | None = None
    max_total_tokens: Int32 | None = None


class TgiSettings(_TextGenerationInferenceSettings):
    disable_custom_kernels: bool = True
    quantize: Literal["awq", "bitsandbytes", "eetq", "gptq"] | None = None


class TgiNeuronSettings(_TextGenerationInferenceSettings):
    hf_auto_cast_type: Literal["bf16", "fp16"] | None = None
    hf_num_cores: Int32 | None = None


class TeiSettings(ContainerSettings):
    max_batch_tokens: Int32 | None = None
    max_concurrent_requests: Int32 | None = None
    pooling: Literal["mean", "cls"] | None = None


class LlamacppSettings(ContainerSettings):
    """`model_path` is the GGUF file in the model's repository."""

    model_path: FilledText
    mmproj_model_path: Text | None = None
    spec_model_path: Text | None = None
    variant: Text | None = None
    mode: Literal["embeddings", "reranking"] | None = None
    pooling: Literal["mean", "cls", "last", "rank"] | None = None
    ctx_size: Int32 | None = None
    n_gpu_layers: Int32 | None = None
    n_parallel: Int32 | None = None
    threads_http: Int32 | None = None


class VllmSettings(ContainerSettings):
    tensor_parallel_size: Int32 | None = None
    data_parallel_size: Int32 | None = None
    max_num_seqs: Int32 | None = None
    max_num_batched_tokens: Int32 | None = None
    kv_cache_dtype: Literal["fp8", "fp8-e4-m3", "fp8-e5-m2"] | None = None


class VllmOmniSettings(ContainerSettings):
    deploy_config: Text | None = None
    max_num_seqs: Int32 | None = None


class SglangSettings(ContainerSettings):
    tensor_parallel_size: Int32 | None = None
    max_running_requests: Int32 | None = None
    max_prefill_tokens: Int32 | None = None
    chunked_prefill_size: Int32 | None = None
    kv_cache_dtype: Literal["fp8-e4-m3", "fp8-e5-m2"] | None = None


class RegistryCredentials(StrictObject):
    username: Text
    password: Text | None


class CustomSettings(ContainerSettings):
    credentials: RegistryCredentials | None = None


IMAGE_SETTINGS: Mapping[str, type[StrictObject]] = {
    "huggingface": HuggingfaceSettings,
    "huggingfaceNeuron": HuggingfaceNeuronSettings,
    "tgi": TgiSettings,
    "tgiNeuron": TgiNeuronSettings,
    "tei": TeiSettings,
    "llamacpp": LlamacppSettings,
    "vLLM": VllmSettings,
    "vLLMOmni": VllmOmniSettings,
    "vLLMNeuron": ContainerSettings,
    "sGLang": SglangSettings,
    "hfServe": ContainerSettings,
    "custom": CustomSettings,
}
"""The settings of each image, by its key."""
PARALLELISM_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "vLLM": ("tensorParallelSize", "dataParallelSize"),
    "sGLang": ("tensorParallelSize",),
}
"""Keys of images whose engine uses one accelerator by default, each with the settings that raise the number."""
