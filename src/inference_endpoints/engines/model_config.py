"""Pure: a model's `config.json`, and what its KV cache takes.

The shape is read only from configurations whose cache is known in full. Any sign of another kind of state makes it
unknown: a number that is too small would let a model fail after minutes of loading.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from inference_endpoints.models import ApiModelWithRaw
from inference_endpoints.models.json_text import parse_json

_TEXT_PARTS = ("text_config", "llm_config", "language_config")
"""Where models of several modalities keep the part that generates text."""
_MLA_TYPES = frozenset({"deepseek_v2", "deepseek_v3", "kimi_k2"})
"""Models whose layers keep one latent vector for each token (multi-head latent attention)."""
_ALL_LAYERS_SLIDE = frozenset({"mistral", "mixtral", "phi3", "starcoder2"})
_FULL_EVERY = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6}
"""One in so many layers keeps the whole context, where `config.json` leaves that to the defaults of transformers."""
_LAYER_TYPES = {"full_attention": False, "sliding_attention": True}
_OTHER_STATE = re.compile(
    r"mamba|ssm|^linear_|^conv|recurrent|rwkv|lru|hybrid|blocks?_type|block_config|attn_layer|attn_type|attention_type"
    r"|^index_|compress|kv_shared|share_kv|cross_layer|chunk_size|^swa_|^global_|num_global_key|k_eq_v|v_head_dim"
)
"""Names of settings of models whose layers keep something else than the keys and values of all tokens."""
_ROPE_KEEPS_CONTEXT = frozenset({"", "default", "su", "longrope", "llama3", "mrope"})
"""Kinds of scaling that `max_position_embeddings` already includes, as vLLM reads it."""
MAX_ROPE_FACTOR = 10_000


class ModelConfig(ApiModelWithRaw):
    """The file `config.json` of a model. `raw` is the whole file.

    >>> config = ModelConfig.model_validate({"model_type": "llama", "num_hidden_layers": 32, "num_attention_heads": 32,
    ...     "num_key_value_heads": 8, "hidden_size": 4096, "max_position_embeddings": 8192})
    >>> kv_shape(config).bytes(tokens=1)
    131072.0
    """

    model_type: str = ""
    architectures: list[str] = Field(default_factory=list)

    @property
    def architecture(self) -> str:
        """The name of the class that runs it, such as `LlamaForCausalLM`; empty if the file has no plain name."""
        return next((name for name in self.architectures if re.fullmatch(r"\w{1,64}", name, re.ASCII)), "")

    @property
    def text_part(self) -> Mapping[str, Any]:
        """The settings of the part that generates text: the file itself, unless the model has several parts."""
        parts = (self.raw.get(name) for name in _TEXT_PARTS)
        return next((part for part in parts if isinstance(part, dict)), self.raw)

    @property
    def max_context(self) -> int | None:
        """The most tokens of context, as engines take it by default; None if the file does not have it."""
        part = self.text_part
        longest = _positive(part, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
        rope = part.get("rope_scaling")
        if longest is None or not isinstance(rope, dict) or str(part.get("model_type")).startswith("gemma3"):
            return longest
        kind, factor = str(rope.get("rope_type") or rope.get("type") or ""), rope.get("factor")
        if kind in _ROPE_KEEPS_CONTEXT or not isinstance(factor, (int, float)) or not 1 <= factor <= MAX_ROPE_FACTOR:
            return longest
        return int((_positive(rope, "original_max_position_embeddings") or longest) * factor)


ModelConfigFile = Annotated[
    ModelConfig, BeforeValidator(lambda file: parse_json(file) if isinstance(file, str) else file)
]
"""The file as the Hub sends it: as plain text."""


@dataclass(frozen=True)
class KvShape:
    """What the KV cache keeps for each token of one request.

    `growing_layers` keep every token, `sliding_layers` the last `window`. A layer keeps `values` numbers of
    `value_bytes` bytes for each of its `heads`.
    """

    growing_layers: int
    sliding_layers: int
    window: int
    heads: int
    values: int
    value_bytes: float = 2.0

    def bytes(self, tokens: int, accelerators: int = 1) -> float:
        """The bytes of one request of so many tokens, on all accelerators that share the model together.

        Accelerators divide the heads among them. Where there are fewer heads, each keeps a whole one.
        """
        kept = self.growing_layers * tokens + self.sliding_layers * min(tokens, self.window)
        return kept * max(self.heads, accelerators) * self.values * self.value_bytes


@dataclass(frozen=True)
class NotComputable:
    """Why something cannot be computed: a clause in plain words."""

    reason: str


def kv_shape(config: ModelConfig, value_bytes: float | None = None) -> KvShape | NotComputable:
    """The shape of a model's KV cache. `value_bytes` is the size of a number that the engine is set to, if it is."""
    part = config.text_part
    kind = str(part.get("model_type") or config.model_type)
    latent = kind in _MLA_TYPES
    if config.raw.get("is_encoder_decoder"):
        return NotComputable("the model has an encoder and a decoder")
    if strange := _other_state(part, latent):
        return NotComputable(f"its layers keep more than keys and values ({_shown(strange)})")
    layers, heads = _positive(part, "num_hidden_layers", "n_layer"), _positive(part, "num_attention_heads", "n_head")
    if layers is None or heads is None:
        return NotComputable("config.json leaves out layers or heads")
    sliding = _sliding_layers(part, kind, layers)
    if isinstance(sliding, NotComputable):
        return sliding
    size = value_bytes or _stored_value_bytes(config.raw)
    window = _positive(part, "sliding_window") or 0
    if latent:
        rank, rope = _positive(part, "kv_lora_rank"), _positive(part, "qk_rope_head_dim")
        if rank is None or rope is None:
            return NotComputable("config.json leaves out the size of the latent vectors")
        return KvShape(layers, 0, 0, heads=1, values=rank + rope, value_bytes=size)
    head_size = _head_size(part, heads)
    if head_size is None:
        return NotComputable("config.json leaves out the size of a head")
    return KvShape(layers - sliding, sliding, window, _kv_heads(part, heads), 2 * head_size, size)


def _other_state(part: Mapping[str, Any], latent: bool) -> str:
    """The first setting that is a sign of state that is not computed here; empty if there is none."""
    usual = {"v_head_dim"} if latent else set()
    names = [name for name, value in part.items() if value and name not in usual and _OTHER_STATE.search(name)]
    if not latent and part.get("kv_lora_rank"):
        names.append("kv_lora_rank")
    if not isinstance(part.get("num_key_value_heads", 1), int):
        names.append("num_key_value_heads")
    return next(iter(names), "")


def _sliding_layers(part: Mapping[str, Any], kind: str, layers: int) -> int | NotComputable:
    """How many layers keep only a window."""
    types = part.get("layer_types")
    if isinstance(types, list) and types:
        if other := next((str(each) for each in types if str(each) not in _LAYER_TYPES), None):
            return NotComputable(f"its layers keep more than keys and values ({_shown(other)})")
        return sum(_LAYER_TYPES[str(each)] for each in types) if _positive(part, "sliding_window") else 0
    if not _positive(part, "sliding_window") or part.get("use_sliding_window") is False:
        return 0
    every = _positive(part, "sliding_window_pattern") or _FULL_EVERY.get(kind)
    if every:
        return layers - layers // every
    if kind in _ALL_LAYERS_SLIDE:
        return layers
    return NotComputable("config.json leaves out which layers keep a window alone")


def _kv_heads(part: Mapping[str, Any], heads: int) -> int:
    if part.get("multi_query") and not part.get("new_decoder_architecture"):
        return 1
    return _positive(part, "num_key_value_heads", "num_kv_heads") or heads


def _head_size(part: Mapping[str, Any], heads: int) -> int | None:
    width = _positive(part, "hidden_size", "n_embd")
    return _positive(part, "head_dim") or (width // heads if width else None)


def _stored_value_bytes(config: Mapping[str, Any]) -> float:
    """Bytes of a number in the cache, as engines choose it: 1 where the checkpoint has scales for an 8-bit cache.

    Weights of 8 bits alone do not change it.
    """
    quantization = config.get("quantization_config")
    scheme = quantization.get("kv_cache_scheme") if isinstance(quantization, dict) else None
    return 1.0 if isinstance(scheme, dict) and scheme.get("num_bits") == 8 else 2.0


def _shown(name: str) -> str:
    """A name from the file, where it cannot carry instructions to a model."""
    return name if re.fullmatch(r"\w{1,40}", name, re.ASCII) else "another kind of layer"


def _positive(part: Mapping[str, Any], *names: str) -> int | None:
    """The first of these settings that is a whole number above 0 and below a trillion."""
    values = (part.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 < value < 10**12), None)
