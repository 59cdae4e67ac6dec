"""Read embeddings and similarities."""

import struct
from base64 import b64decode
from typing import Any

from inference_endpoints.inference.tasks.outputs import Embedding, SparseVector
from inference_endpoints.inference.tasks.readers import as_number, in_order, one_each, unwrap

_FLOAT_BYTES = 4


def read_embeddings(payload: Any, count: int) -> list[Embedding]:
    """TEI's `[[…]]`, hf-serve's `{embeddings: …}`, OpenAI's `{data: [{embedding}]}`, llama.cpp's `[{embedding}]`, or
    the one vector of one text. A vector is a list of numbers, or base64 of 32-bit floats. Models that do not pool
    return a vector for each token, those with sparse vectors `{index, value}`."""
    rows = unwrap(payload, "data", "embeddings", "embedding")
    if isinstance(rows, list) and rows and all(isinstance(row, dict) and "embedding" in row for row in rows):
        rows = [row["embedding"] for row in in_order(rows)]
    elif count == 1 and _is_vector(rows):
        rows = [rows]
    return [_embedding(row) for row in one_each(rows, count)]


def _embedding(row: Any) -> Embedding:
    if isinstance(row, str):
        return _from_base64(row)
    if isinstance(row, list) and row and isinstance(row[0], dict):
        return _sparse(row)
    if _is_vector(row):
        return _numbers(row)
    while isinstance(row, list) and len(row) == 1 and _is_vectors(row[0]):
        row = row[0]  # transformers puts the tokens of one text into a batch of one
    if not _is_vectors(row):
        raise TypeError("not an embedding")
    vectors = [_numbers(vector) for vector in row]
    return vectors[0] if len(vectors) == 1 else vectors


def _is_vector(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and isinstance(row[0], int | float) and not isinstance(row[0], bool)


def _is_vectors(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(_is_vector(vector) for vector in row)


def _numbers(row: list[Any]) -> list[float]:
    return [as_number(number) for number in row]


def _sparse(row: list[Any]) -> SparseVector:
    return {int(each["index"]): as_number(each["value"]) for each in row}


def _from_base64(text: str) -> list[float]:
    content = b64decode(text, validate=True)
    if not content:
        raise ValueError("an empty vector")
    return list(struct.unpack(f"<{len(content) // _FLOAT_BYTES}f", content))


def read_similarities(payload: Any, count: int) -> list[list[float]]:
    """TEI's `[…]`, or hf-serve's `{similarities: [[…]]}`."""
    numbers = unwrap(payload, "similarities", "scores")
    nested = numbers and isinstance(numbers[0], list)
    return one_each([_numbers(numbers[0] if nested else numbers)], count)
