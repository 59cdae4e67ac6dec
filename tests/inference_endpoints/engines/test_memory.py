"""The memory of a model, held against published figures and the logs of engines."""

from typing import Any

import pytest
from tests.support.service import model_configs as configs

from inference_endpoints.engines.memory import ModelMemory
from inference_endpoints.engines.model_config import KvShape, ModelConfig, NotComputable, kv_shape

GIB = 2**30


def shape(config: dict[str, Any]) -> KvShape:
    found = kv_shape(ModelConfig.model_validate(config))
    assert isinstance(found, KvShape), found
    return found


@pytest.mark.parametrize(
    ("config", "bytes_per_token"),
    [
        (configs.LLAMA_3_1_8B, 128 * 1024),  # a log of vLLM: 12.14 GiB hold 99,440 tokens
        (configs.LLAMA_3_1_405B, 516_096),  # table 1 of arXiv 2505.09343, as are the next two
        (configs.QWEN_2_5_72B, 327_680),
        (configs.DEEPSEEK_V3, 70_272),
        (configs.MIXTRAL_8X7B, 128 * 1024),  # experts have no cache of their own
        (configs.FALCON_7B, 8 * 1024),  # one head for all queries
        (configs.GPT_2, 36 * 1024),
    ],
)
def test_a_token_takes_what_is_published(config: dict[str, Any], bytes_per_token: int) -> None:
    assert shape(config).bytes(1) == bytes_per_token
    assert shape(config).bytes(5_000) == 5_000 * bytes_per_token


@pytest.mark.parametrize(
    ("config", "tokens", "gib"),
    [
        (configs.QWEN_3_32B, 40_960, 10.0),  # "10.00 GiB KV cache is needed", vLLM
        (configs.QWEN_3_VL_2B, 262_144, 28.0),  # "28.00 GiB KV cache is needed", vLLM
        (configs.MISTRAL_7B, 32_768, 0.5),  # the window of 4,096 tokens alone: arXiv 2310.06825
        (configs.GEMMA_2_9B, 8_192, 42 * 8 * 512 * 2 * (8_192 + 4_096) / 2 / GIB),  # every second layer slides
        (configs.GEMMA_3_27B, 131_072, 16 * 256 * 2 * (10 * 131_072 + 52 * 1_024) / GIB),  # five of six slide
        (configs.GPT_OSS_20B, 131_072, 8 * 128 * 2 * 12 * (131_072 + 128) / GIB),
    ],
)
def test_a_long_context_takes_what_engines_reserve(config: dict[str, Any], tokens: int, gib: float) -> None:
    assert shape(config).bytes(tokens) / GIB == pytest.approx(gib)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({**configs.QWEN_3_32B, "layer_types": ["linear_attention", "full_attention"]}, "linear_attention"),
        ({**configs.LLAMA_3_1_8B, "attn_layer_period": 8, "mamba_d_state": 16}, "attn_layer_period"),
        ({**configs.LLAMA_3_1_8B, "hybrid_override_pattern": "M-M*"}, "hybrid_override_pattern"),
        ({**configs.DEEPSEEK_V3, "index_topk": 2048}, "index_topk"),
        ({**configs.LLAMA_3_1_8B, "kv_lora_rank": 256}, "kv_lora_rank"),
        ({**configs.GEMMA_3_27B["text_config"], "num_kv_shared_layers": 15}, "num_kv_shared_layers"),
        ({**configs.LLAMA_3_1_8B, "attention_chunk_size": 8192}, "attention_chunk_size"),
        ({**configs.LLAMA_3_1_8B, "num_key_value_heads": [2, 4]}, "num_key_value_heads"),
        ({**configs.LLAMA_3_1_8B, "model_type": "new", "sliding_window": 512}, "which layers"),
        ({"model_type": "t5", "is_encoder_decoder": True, "num_hidden_layers": 6}, "encoder and a decoder"),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 34}}, "leaves out"),
        ({"num_hidden_layers": True, "num_attention_heads": -1}, "leaves out"),
        ({}, "leaves out"),
    ],
)
def test_a_cache_that_is_not_understood_is_unknown_with_its_reason(config: dict[str, Any], reason: str) -> None:
    found = kv_shape(ModelConfig.model_validate(config))
    assert isinstance(found, NotComputable)
    assert reason in found.reason


def test_eight_bit_caches_take_half_and_eight_bit_weights_alone_change_nothing() -> None:
    scales = {"quantization_config": {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}}}
    assert shape(configs.LLAMA_3_1_8B | scales).bytes(1) == 64 * 1024
    assert shape(configs.LLAMA_3_1_8B | {"quantization_config": {"quant_method": "fp8"}}).bytes(1) == 128 * 1024


def test_accelerators_divide_heads_and_each_keeps_at_least_one() -> None:
    assert shape(configs.LLAMA_3_1_8B).bytes(1, accelerators=8) == 128 * 1024
    assert shape(configs.LLAMA_3_1_8B).bytes(1, accelerators=16) == 256 * 1024
    assert shape(configs.DEEPSEEK_V3).bytes(1, accelerators=8) == 8 * 70_272


@pytest.mark.parametrize(
    ("config", "context"),
    [
        (configs.LLAMA_3_1_8B, 131_072),
        (configs.DEEPSEEK_V3, 163_840),
        (configs.QWEN_3_VL_2B, 262_144),
        (configs.GPT_2, 1_024),
        (configs.LLAMA_3_1_8B | {"rope_scaling": {"type": "linear", "factor": 2.0}}, 262_144),
        (configs.LLAMA_3_1_8B | {"rope_scaling": {"type": "linear", "factor": float("inf")}}, 131_072),
        (configs.LLAMA_3_1_8B | {"rope_scaling": "hostile"}, 131_072),
        (configs.GEMMA_3_27B, None),
    ],
)
def test_the_longest_context_is_as_engines_read_it(config: dict[str, Any], context: int | None) -> None:
    assert ModelConfig.model_validate(config).max_context == context


LLAMA = ModelMemory(weights_gb=16.06, kv=shape(configs.LLAMA_3_1_8B), max_context=131_072)


def test_the_need_is_weights_cache_and_engine_within_the_share_that_engines_use() -> None:
    need = LLAMA.need(8_192, requests=2)
    assert need.kv_gb == pytest.approx(2.147, abs=0.001)
    assert need.total_gb == pytest.approx((16.06 + 2.147 + 1) / 0.9, abs=0.01)


def test_a_context_that_fits_is_proposed_and_the_models_own_where_it_fits() -> None:
    context = LLAMA.longest_context(24)
    assert context == 33_792
    assert LLAMA.need(context).total_gb <= 24 < LLAMA.need(context + 1_024).total_gb
    assert LLAMA.longest_context(80) == 131_072
    assert LLAMA.longest_context(19) is None
    assert (LLAMA.requests_at_once(24, 8_192), LLAMA.requests_at_once(14, 8_192)) == (4, 0)


def test_without_a_known_cache_no_context_is_proposed() -> None:
    unknown = ModelMemory(16.06, NotComputable("config.json cannot be read"), max_context=8_192)
    assert unknown.need().total_gb == pytest.approx(18.96, abs=0.01)
    assert unknown.longest_context(80) is None
    assert unknown.requests_at_once(80, 8_192) is None


def test_copies_each_take_their_own_memory() -> None:
    one, two = LLAMA.need(8_192), ModelMemory(16.06, LLAMA.kv, 131_072, copies=2).need(8_192)
    assert two.total_gb == pytest.approx(2 * one.total_gb)
