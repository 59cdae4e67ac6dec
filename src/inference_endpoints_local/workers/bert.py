"""The forward pass of a BERT sentence encoder in numpy, over weights that stay mapped on disk.

It gives the vectors of sentence-transformers for all-MiniLM-L6-v2: mean pooling over the tokens, at most 256 of them.
"""

import json
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Floats = NDArray[np.float32]
TokenIds = list[int]

MAX_TOKENS = 256  # sentence_bert_config.json: what the model was trained on
HEAD_WIDTH = 32
NORM_EPSILON = 1e-12
MASKED = np.float32(-1e9)
ERF_SERIES = np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0], dtype=np.float32)


def read_safetensors(path: Path) -> dict[str, Floats]:
    """The float32 tensors of the file by name, as views of its mapped bytes."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(data[8:start].tobytes())
    return {
        name: data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view(np.float32)
        .reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


class SentenceEncoder:
    """Tokenizes and embeds. It keeps no state between calls, so threads may share it."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self._tensors = read_safetensors(model)
        self._layers = next(n for n in count() if f"encoder.layer.{n}.output.dense.weight" not in self._tensors)
        self.dimensions = self._tensors["embeddings.word_embeddings.weight"].shape[1]
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def tokenize(self, texts: list[str]) -> list[TokenIds]:
        """The token ids of each whole text, between its two special tokens."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]

    def embed(self, batch: list[TokenIds]) -> Floats:
        """One vector per text, not normalised."""
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), dtype=np.int64)
        mask = np.zeros((len(batch), longest), dtype=np.float32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        hidden = self._encode(ids, mask)
        pooled: Floats = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return pooled

    def _encode(self, ids: NDArray[np.int64], mask: Floats) -> Floats:
        tensors = self._tensors
        hidden = tensors["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        hidden = self._norm("embeddings.LayerNorm", hidden + tensors["embeddings.token_type_embeddings.weight"][0])
        masked = (1 - mask)[:, None, None, :] * MASKED
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            attended = self._dense(f"{layer}.attention.output.dense", self._attend(layer, hidden, masked))
            hidden = self._norm(f"{layer}.attention.output.LayerNorm", hidden + attended)
            inner = gelu(self._dense(f"{layer}.intermediate.dense", hidden))
            hidden = self._norm(f"{layer}.output.LayerNorm", hidden + self._dense(f"{layer}.output.dense", inner))
        return hidden

    def _attend(self, layer: str, hidden: Floats, masked: Floats) -> Floats:
        texts, tokens, width = hidden.shape

        def heads(name: str) -> Floats:
            projected = self._dense(f"{layer}.attention.self.{name}", hidden)
            return projected.reshape(texts, tokens, -1, HEAD_WIDTH).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").swapaxes(-1, -2) / np.float32(HEAD_WIDTH**0.5) + masked
        mixed = softmax(scores) @ heads("value")
        return mixed.transpose(0, 2, 1, 3).reshape(texts, tokens, width)

    def _dense(self, name: str, values: Floats) -> Floats:
        result: Floats = values @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]
        return result

    def _norm(self, name: str, values: Floats) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)
        result: Floats = centred / deviation * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        return result


def truncate(tokens: TokenIds, side: Literal["left", "right"]) -> TokenIds:
    """At most MAX_TOKENS of a text, cut on that side, with its special tokens."""
    if len(tokens) <= MAX_TOKENS:
        return tokens
    first, *text, last = tokens
    room = MAX_TOKENS - 2
    return [first, *(text[:room] if side == "right" else text[-room:]), last]


def softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return result


def gelu(values: Floats) -> Floats:
    """The exact form. numpy has no erf: this is Abramowitz and Stegun 7.1.26, with an error below 1.5e-7."""
    magnitude = np.abs(values) * np.float32(0.5**0.5)
    series = np.polyval(ERF_SERIES, 1 / (1 + np.float32(0.3275911) * magnitude))
    erf = np.copysign(1 - series * np.exp(-magnitude * magnitude), values)
    result: Floats = np.float32(0.5) * values * (1 + erf)
    return result
