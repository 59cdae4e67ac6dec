"""GGUF files of each kind, written with the maintained library from pinned weights: small, and with answers to check.

`embeddings` holds the weights of all-MiniLM-L6-v2, so that its vectors must be those of the shipped model.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from tokenizers import Tokenizer

from inference_endpoints_local.models import catalogue, weights
from inference_endpoints_local.workers.bert import read_safetensors

_EMBEDDING = "sentence-transformers/all-MiniLM-L6-v2"
_LAYERS, _HEADS, _CONTEXT = 6, 12, 512
_IMAGE, _PATCH, _VISION = 28, 14, 32


def shipped_file(repository: str, role: str) -> Path:
    """A weight file of the catalogue, fetched if it is missing."""
    file = catalogue.resolve_model(repository).files(weights.default_cache_dir())[role]
    assert isinstance(file, Path)
    return file


def embeddings(path: Path, pooling: gguf.PoolingType | None = gguf.PoolingType.MEAN) -> Path:
    """MiniLM as a GGUF file."""
    writer = _encoder(path, pooling)
    return _written(writer)


def reranker(path: Path) -> Path:
    """MiniLM with a head that scores a pair of texts by the first component of its first token's vector."""
    writer = _encoder(path, gguf.PoolingType.RANK)
    width = 384
    writer.add_tensor("cls.weight", np.eye(width, dtype=np.float32))
    writer.add_tensor("cls.bias", np.zeros(width, np.float32))
    head = np.zeros((1, width), np.float32)
    head[0, 0] = 1
    writer.add_tensor("cls.output.weight", head)
    writer.add_tensor("cls.output.bias", np.zeros(1, np.float32))
    return _written(writer)


def projector(path: Path, width: int = 576, *, hears: bool = False) -> Path:
    """The part that sees, for a model of that width: a small CLIP with random weights. Four tokens an image."""
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_audio_encoder" if hears else "clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    for name, value in {
        "image_size": _IMAGE,
        "patch_size": _PATCH,
        "embedding_length": _VISION,
        "feed_forward_length": 2 * _VISION,
        "block_count": 2,
        "projection_dim": width,
        "attention.head_count": 4,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.3, shape).astype(np.float32))

    def add_with_bias(name: str, *shape: int) -> None:
        add(f"{name}.weight", *shape)
        add(f"{name}.bias", shape[0])

    add("v.patch_embd.weight", _VISION, 3, _PATCH, _PATCH)
    add("v.class_embd", _VISION)
    add("v.position_embd.weight", (_IMAGE // _PATCH) ** 2 + 1, _VISION)
    add_with_bias("v.pre_ln", _VISION)
    for block in ("v.blk.0", "v.blk.1"):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add_with_bias(f"{block}.{name}", _VISION, _VISION)
        add_with_bias(f"{block}.ln1", _VISION)
        add_with_bias(f"{block}.ln2", _VISION)
        add_with_bias(f"{block}.ffn_up", 2 * _VISION, _VISION)
        add_with_bias(f"{block}.ffn_down", _VISION, 2 * _VISION)
    add_with_bias("mm.0", width, _VISION)
    add_with_bias("mm.2", width, width)
    return _written(writer)


def _encoder(path: Path, pooling: gguf.PoolingType | None) -> gguf.GGUFWriter:
    tensors = read_safetensors(shipped_file(_EMBEDDING, "model"))
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(384)
    writer.add_feed_forward_length(1536)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    _add_vocabulary(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, _LAYERS)
    for name, tensor in tensors.items():
        if mapped := names.get_name(name, (".weight", ".bias")):
            writer.add_tensor(mapped, np.ascontiguousarray(tensor))
    return writer


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """WordPiece as llama.cpp has it: what begins a word is marked, instead of what continues one."""
    vocabulary = Tokenizer.from_file(str(shipped_file(_EMBEDDING, "tokenizer"))).get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {word for word in words if word.startswith("[") and word.endswith("]") and len(word) > 2}
    texts: list[Any] = [
        word if word in special else word.removeprefix("##") if word.startswith("##") else f"\u2581{word}"
        for word in words
    ]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(texts)
    writer.add_token_types([gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words])
    writer.add_token_type_count(2)
    writer.add_bos_token_id(vocabulary["[CLS]"])
    writer.add_eos_token_id(vocabulary["[SEP]"])
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_mask_token_id(vocabulary["[MASK]"])


def _written(writer: gguf.GGUFWriter) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert writer.path
    return Path(writer.path)
