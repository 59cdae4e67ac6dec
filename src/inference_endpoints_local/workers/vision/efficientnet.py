"""EfficientNet-Lite0 in numpy: an image of 224 by 224 pixels to 1,000 scores (arXiv:1905.11946; TensorFlow's `lite0`).

Values are (height, width, channels). Each normalisation is folded into the convolution before it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 224
_EPSILON = 1e-3
# How often, size of the kernel, stride of the first.
_STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


@dataclass(frozen=True)
class _Convolution:
    """`weight` is (rows, columns, channels) of each channel by itself, else (rows * columns * channels in, out)."""

    weight: Floats
    bias: Floats
    size: int = 1
    stride: int = 1

    def dense(self, values: Floats) -> Floats:
        if self.size > 1:
            values = self._windows(values).transpose(0, 1, 3, 4, 2)
        height, width = values.shape[:2]
        # One large product is faster than one for each row of the image.
        mixed = values.reshape(height * width, -1) @ self.weight
        return (mixed + self.bias).reshape(height, width, -1)

    def by_channel(self, values: Floats) -> Floats:
        windows = self._windows(values)
        result = np.zeros(windows.shape[:3], dtype=np.float32)
        for row in range(self.size):
            for column in range(self.size):
                result += windows[..., row, column] * self.weight[row, column]
        return result + self.bias

    def _windows(self, values: Floats) -> Floats:
        """(height, width, channels, rows, columns), padded as TensorFlow does: less before than after."""
        before_after = []
        for length in values.shape[:2]:
            total = max((-(-length // self.stride) - 1) * self.stride + self.size - length, 0)
            before_after.append((total // 2, total - total // 2))
        padded = np.pad(values, (*before_after, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (self.size, self.size), axis=(0, 1))
        strided: Floats = windows[:: self.stride, :: self.stride]
        return strided


class EfficientNet:
    """The network, from its tensors by name."""

    def __init__(self, tensors: dict[str, Floats]) -> None:
        self._tensors = tensors
        self._stem = self._convolution("_conv_stem", "_bn0", stride=2)
        self._blocks: list[tuple[_Convolution | None, _Convolution, _Convolution]] = []
        for repeats, size, stride in _STAGES:
            for repeat in range(repeats):
                self._blocks.append(self._block(len(self._blocks), size, stride if repeat == 0 else 1))
        self._head = self._convolution("_conv_head", "_bn1")

    def scores(self, pixels: Floats) -> Floats:
        """The score of each class, before softmax. `pixels` are from 0 to 255, (SIDE, SIDE, 3)."""
        values = _relu6(self._stem.dense((pixels - 127) / np.float32(128)))
        for expand, depthwise, project in self._blocks:
            before = values
            if expand:
                values = _relu6(expand.dense(values))
            values = project.dense(_relu6(depthwise.by_channel(values)))
            if values.shape == before.shape:
                values = values + before
        pooled = _relu6(self._head.dense(values)).mean(axis=(0, 1))
        result: Floats = self._tensors["_fc.weight"] @ pooled + self._tensors["_fc.bias"]
        return result

    def _block(self, number: int, size: int, stride: int) -> tuple[_Convolution | None, _Convolution, _Convolution]:
        name = f"_blocks.{number}"
        expand = f"{name}._expand_conv"
        return (
            self._convolution(expand, f"{name}._bn0") if f"{expand}.weight" in self._tensors else None,
            self._convolution(f"{name}._depthwise_conv", f"{name}._bn1", size=size, stride=stride),
            self._convolution(f"{name}._project_conv", f"{name}._bn2"),
        )

    def _convolution(self, name: str, norm: str, *, size: int | None = None, stride: int = 1) -> _Convolution:
        tensors = self._tensors
        weight = tensors[f"{name}.weight"]  # out, in, rows, columns
        scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + np.float32(_EPSILON))
        bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
        scaled = (weight * scale[:, None, None, None]).transpose(2, 3, 1, 0)
        if size:
            return _Convolution(np.ascontiguousarray(scaled[:, :, 0]), bias, size, stride)
        return _Convolution(np.ascontiguousarray(scaled.reshape(-1, len(scale))), bias, weight.shape[2], stride)


def _relu6(values: Floats) -> Floats:
    return np.clip(values, 0, 6)
