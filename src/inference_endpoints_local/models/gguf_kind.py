"""What a GGUF file is, by the settings in its header: what it can do, and whether it is a model by itself.

Names are llama.cpp's own: `llama-arch.cpp`, `enum llama_pooling_type`, `clip-impl.h`, and the types that its converter
writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

ARCHITECTURE = b"general.architecture"
TYPE = b"general.type"
PARTS = b"split.count"
ALIGNMENT = b"general.alignment"
_POOLING = b".pooling_type"
_WIDTH = b".embedding_length"
_SEES = b"clip.has_vision_encoder"
_PROJECTED_WIDTH = b"clip.vision.projection_dim"

_ENCODERS = frozenset(
    {
        *(b"bert", b"modern-bert", b"nomic-bert", b"nomic-bert-moe", b"neo-bert", b"jina-bert-v2", b"jina-bert-v3"),
        *(b"eurobert", b"gemma-embedding", b"t5encoder"),
    }
)
_NO_LANGUAGE_MODELS = {
    **dict.fromkeys((b"dream", b"llada", b"llada-moe", b"rnd1"), "writes by diffusion, which cannot be served here"),
    b"wavtokenizer-dec": "is the part of a model that makes sound, and no model by itself",
    **dict.fromkeys(
        (b"flux", b"sd1", b"sdxl", b"sd3", b"wan", b"qwen_image", b"lumina2", b"ltxv", b"hidream", b"aura"),
        "makes images, which llama.cpp does not",
    ),
}
_PARTS_OF_MODELS = {
    b"adapter": "is an adapter for a model (LoRA), and no model by itself",
    b"imatrix": "has statistics for quantizing a model, and no model",
    b"vocab": "has a vocabulary alone, and no model",
}
_PROJECTOR, _PROJECTOR_TYPE = b"clip", b"mmproj"
_NOT_POOLED, _RANKS = 0, 4


class InvalidGguf(ValueError):
    """The file is not a model that can be loaded. The message continues a sentence that begins with its path."""


class GgufKind(Enum):
    """What a file is for."""

    TEXT = "text"
    EMBEDDINGS = "embeddings"
    RANKS = "ranks"
    PROJECTOR = "projector"


@dataclass(frozen=True)
class GgufHeader:
    """What is known of a file. `width` is that of its embeddings, or of those that a projector makes; 0: not said."""

    kind: GgufKind
    width: int


def is_of_interest(name: bytes) -> bool:
    """Whether the value of a setting is needed here."""
    return name in (ARCHITECTURE, TYPE, PARTS, ALIGNMENT, _SEES, _PROJECTED_WIDTH) or name.endswith((_POOLING, _WIDTH))


def header_of(texts: Mapping[bytes, bytes], numbers: Mapping[bytes, int]) -> GgufHeader:
    """The kind of a file with these settings. Raises InvalidGguf for one that is nothing that can be served."""
    architecture = texts.get(ARCHITECTURE, b"")
    kind = texts.get(TYPE, b"")
    if kind == _PROJECTOR_TYPE or architecture == _PROJECTOR:
        if not numbers.get(_SEES):
            raise InvalidGguf("is a projector that sees no images; those that see can be used here, beside their model")
        return GgufHeader(GgufKind.PROJECTOR, numbers.get(_PROJECTED_WIDTH, 0))
    if refusal := _PARTS_OF_MODELS.get(kind) or _NO_LANGUAGE_MODELS.get(architecture):
        raise InvalidGguf(refusal)
    if (parts := numbers.get(PARTS, 0)) > 1:
        raise InvalidGguf(f"is one of {parts} parts: merge them with llama-gguf-split --merge")
    width = numbers.get(architecture + _WIDTH, 0)
    pooling = next((value for name, value in numbers.items() if name.endswith(_POOLING)), _NOT_POOLED)
    if pooling == _RANKS:
        return GgufHeader(GgufKind.RANKS, width)
    if pooling or architecture in _ENCODERS:
        return GgufHeader(GgufKind.EMBEDDINGS, width)
    return GgufHeader(GgufKind.TEXT, width)
