"""Kokoro-82M by ONNX Runtime: sounds to speech of 24,000 samples per second."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE = 24_000
_PARTS = 4
_MOST_SOUNDS = 400
"""Of one run. The model takes 510; it is better at sentences."""
_PAUSE = np.zeros(SAMPLE_RATE // 5, dtype=np.float32)
_ERRORS_ONLY = 3


class Kokoro:
    """The model and its voices."""

    def __init__(self, files: dict[str, Path], threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _ERRORS_ONLY
        model = b"".join(files[f"part-{number}"].read_bytes() for number in range(1, _PARTS + 1))
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._ids: dict[str, int] = json.loads(files["vocabulary"].read_text("utf-8"))["vocab"]
        with np.load(files["voices"], allow_pickle=False) as voices:
            self.voices: dict[str, Floats] = {name: voices[name].astype(np.float32) for name in voices.files}

    def speak(self, sounds: str, voice: str, speed: float) -> Floats:
        """The samples, from -1 to 1, of at most `_MOST_SOUNDS` sounds and a pause after them."""
        ids = [self._ids[sound] for sound in sounds if sound in self._ids]
        styles = self.voices[voice]
        style = styles[min(len(ids), len(styles) - 1)].reshape(1, -1)
        (samples,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
                "style": style,
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        return np.concatenate([np.clip(np.asarray(samples, dtype=np.float32).reshape(-1), -1, 1), _PAUSE])


def sentences(sounds: str) -> list[str]:
    """The sounds in pieces that the model can speak: sentences, and parts of long ones."""
    pieces: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", sounds):
        rest = sentence.strip()
        while len(rest) > _MOST_SOUNDS:
            cut = max(rest.rfind(mark, 0, _MOST_SOUNDS) for mark in (",", ";", ":", " "))
            cut = cut if cut > 0 else _MOST_SOUNDS
            pieces.append(rest[: cut + 1].strip())
            rest = rest[cut + 1 :].strip()
        if rest:
            pieces.append(rest)
    return pieces
