"""Reads the tensors of a PyTorch file of before version 1.6, without unpickling it: a pickle can run any code.

The layout: a magic number, a version and the byte order, each a pickle; a pickle with the name, storage and shape of
each tensor; a pickle with the order of the storages; then for each storage its length and its numbers. Of the pickles
the texts and numbers are taken, as a disassembler shows them. Nothing is executed.
"""

import io
import pickletools
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_TUPLE_ENDS = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"})
_IN_EVERY_TENSOR = frozenset({"storage", "cpu"})


@dataclass
class _Tensor:
    """`name, ("storage", type, storage, "cpu", length), offset, shape, strides`. A counter is an int64 without a shape.

    Strides are in numbers. The files of networks that came from TensorFlow have its order of axes in memory.
    """

    name: str
    storage: str
    numbers: list[int]
    tuples: list[list[int]]

    @property
    def shape(self) -> list[int]:
        return self.tuples[0][1:]  # after the offset

    def view(self, numbers: Floats) -> Floats:
        """Raises ValueError where the shape does not fit the numbers."""
        if prod(self.shape) != len(numbers) or sorted(self.tuples[1], reverse=True) != _contiguous(self):
            raise ValueError(f"{self.name} has {len(numbers)} numbers and another shape")
        strides = [stride * numbers.itemsize for stride in self.tuples[1]]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, strides, writeable=False)


def _contiguous(tensor: _Tensor) -> list[int]:
    """The strides of its axes, from the outermost in memory to the innermost, if it has no gaps."""
    axes = sorted(zip(tensor.tuples[1], tensor.shape, strict=True), reverse=True)
    return [prod(length for _, length in axes[at + 1 :]) for at in range(len(axes))]


def read_torch_file(path: Path) -> dict[str, Floats]:
    """The float32 tensors of the file by name. Raises ValueError for another layout."""
    data = path.read_bytes()
    file = io.BytesIO(data)
    for _ in range(3):
        list(pickletools.genops(file))
    tensors = _tensors(file)
    order = [str(argument) for instruction, argument, _ in pickletools.genops(file) if instruction.name == "BINUNICODE"]
    by_storage = {tensor.storage: tensor for tensor in tensors}
    if set(order) != set(by_storage) or len(by_storage) != len(tensors):
        raise ValueError(f"{path.name} is no file of tensors that each have a storage")
    found, at = {}, file.tell()
    for storage in order:
        tensor = by_storage[storage]
        length = int.from_bytes(data[at : at + 8], "little")
        kind = np.dtype("<f4" if tensor.shape else "<i8")
        if tensor.shape:
            found[tensor.name] = tensor.view(np.frombuffer(data, kind, length, at + 8))
        at += 8 + length * kind.itemsize
    return found


def _tensors(file: io.BytesIO) -> list[_Tensor]:
    tensors: list[_Tensor] = []
    texts: list[str] = []
    for instruction, argument, _ in pickletools.genops(file):
        current = tensors[-1] if tensors else None
        if instruction.name == "BINUNICODE" and argument not in _IN_EVERY_TENSOR:
            texts.append(str(argument))
        elif instruction.name == "BINPERSID":
            tensors.append(_Tensor(texts[-2], texts[-1], numbers=[], tuples=[]))
        elif current and len(current.tuples) < 2 and isinstance(argument, int) and "BININT" in instruction.name:
            current.numbers.append(argument)
        elif current and len(current.tuples) < 2 and instruction.name in _TUPLE_ENDS:
            current.tuples.append(current.numbers)
            current.numbers = []
    return tensors
