"""Read the answers of engines: each task has one output shape, and every engine its own form of it.

A reader gets the parsed JSON and the number of inputs, and returns an output for each input, in their order. It raises
one of `NOT_OF_THIS_TASK` for an answer that is not of its task.
Sources of the forms: the Inference Toolkit and hf-serve 0.2.0, TGI, Text Embeddings Inference, vLLM, SGLang,
llama.cpp, the OpenAI API, and the published task schemas of huggingface.js.
"""

import struct
from collections.abc import Callable
from typing import Any

Reader = Callable[[Any, int], list[Any]]
NOT_OF_THIS_TASK = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, struct.error)


def one_each(rows: Any, count: int) -> list[Any]:
    """The rows, one for each input. Raises `ValueError` for another number of rows."""
    if not isinstance(rows, list) or len(rows) != count:
        raise ValueError(f"not one answer for each of {count} inputs")
    return rows


def unwrap(payload: Any, *names: str) -> Any:
    """What an object holds under one of these names; anything else unchanged."""
    if isinstance(payload, dict):
        for name in names:
            if name in payload:
                return payload[name]
    return payload


def in_order(rows: list[Any]) -> list[Any]:
    """Rows by their `index`, where they have one."""
    return sorted(rows, key=lambda row: row.get("index", 0))


def lists_of_objects(payload: Any, count: int) -> list[list[Any]]:
    """A list of objects for each input. A flat list belongs to one input, or has one object for each."""
    if isinstance(payload, dict):
        payload = [payload]
    if not isinstance(payload, list):
        raise TypeError("not a list")
    if not payload and count == 1:
        return [[]]
    if payload and all(isinstance(row, list) for row in payload):
        return one_each(payload, count)
    return [payload] if count == 1 else [[row] for row in one_each(payload, count)]


def as_number(value: Any) -> float:
    """Raises `TypeError` for a Boolean, which Python counts as a number, and for text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def as_text(value: Any) -> str:
    """Raises `TypeError` for anything else."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
