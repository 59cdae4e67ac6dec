"""Whisper by CTranslate2: sound to text with times, in windows of 30 seconds as the model was trained.

The spectrogram is that of Whisper: 80 mel bands of Slaney's scale, frames of 25 ms every 10 ms.
"""

from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import miniaudio
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Floats = NDArray[np.float32]

SAMPLE_RATE = 16_000
WINDOW_S = 30.0
_WINDOW_SAMPLES, _WINDOW_FRAMES = int(WINDOW_S * SAMPLE_RATE), 3000
_BANDS, _FRAME, _HOP = 80, 400, 160
_TIME_STEP_S = 0.02
_LEAST_ADVANCE_S = 1.0
_BEAMS = 5
# Whisper's own limits: a window is silent if the model says so and is unsure of its words.
_SILENT_ABOVE, _UNSURE_BELOW = 0.6, -1.0


class NotAudio(ValueError):
    """The bytes are no sound that can be read."""


@dataclass(frozen=True)
class SpokenSegment:
    """What was said between two times, in seconds."""

    start: float
    end: float
    text: str


class TooLong(ValueError):
    """The recording is longer than allowed."""


def decode(content: bytes, most_s: int) -> Floats:
    """The samples of a WAV, MP3, FLAC or Ogg Vorbis file, mixed to one channel. Raises NotAudio and TooLong.

    In parts: a small file can hold hours, which are not decoded to find that out.
    """
    parts, seconds = list[Floats](), 0.0
    try:
        for samples in miniaudio.stream_memory(
            content,
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=1,
            sample_rate=SAMPLE_RATE,
            frames_to_read=_WINDOW_SAMPLES,
        ):
            parts.append(np.asarray(samples, dtype=np.float32))
            seconds += len(parts[-1]) / SAMPLE_RATE
            if seconds > most_s:
                raise TooLong
    except miniaudio.MiniaudioError as error:
        raise NotAudio from error
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


class Whisper:
    """An English model. One window is transcribed at a time."""

    def __init__(self, files: dict[str, Path], threads: int) -> None:
        names = {"model": "model.bin", "config": "config.json", "vocabulary": "vocabulary.txt"}
        self._model = ctranslate2.models.Whisper(
            "whisper",
            device="cpu",
            compute_type="int8",
            intra_threads=threads,
            files={name: files[role].read_bytes() for role, name in names.items()},
        )
        self._tokenizer = Tokenizer.from_file(str(files["tokenizer"]))
        self._prompt = [self._token("startoftranscript")]
        self._first_time = self._token("notimestamps") + 1
        self._mel = _mel_filters()
        self._hann = np.hanning(_FRAME + 1)[:-1].astype(np.float32)

    def _token(self, name: str) -> int:
        found = self._tokenizer.token_to_id(f"<|{name}|>")
        if found is None:
            raise ValueError(f"the tokenizer has no token {name}")
        return int(found)

    def transcribe(self, samples: Floats, at_s: float) -> tuple[list[SpokenSegment], float]:
        """The segments of the window that begins at this second, and where the next one begins."""
        window = samples[int(at_s * SAMPLE_RATE) :][:_WINDOW_SAMPLES]
        (result,) = self._model.generate(
            ctranslate2.StorageView.from_array(self._spectrogram(window)),
            [self._prompt],
            beam_size=_BEAMS,
            return_scores=True,
            return_no_speech_prob=True,
        )
        end_s = at_s + len(window) / SAMPLE_RATE
        if result.no_speech_prob > _SILENT_ABOVE and result.scores[0] < _UNSURE_BELOW:
            return [], end_s
        segments = self._segments(result.sequences_ids[0], at_s, end_s)
        if end_s >= len(samples) / SAMPLE_RATE or not segments:
            return segments, end_s
        # What the window cuts is heard again from its start.
        if len(segments) > 1 and segments[-1].end > end_s - _TIME_STEP_S:
            return segments[:-1], max(segments[-1].start, at_s + _LEAST_ADVANCE_S)
        return segments, max(segments[-1].end, at_s + _LEAST_ADVANCE_S)

    def _segments(self, tokens: list[int], at_s: float, end_s: float) -> list[SpokenSegment]:
        """Text between times. One whose end is missing ends with the window."""
        segments: list[SpokenSegment] = []
        start, text = 0.0, list[int]()

        def close(end: float) -> None:
            if words := self._tokenizer.decode(text).strip():
                segments.append(SpokenSegment(round(at_s + start, 2), round(min(at_s + end, end_s), 2), words))
            text.clear()

        for token in tokens:
            if token < self._first_time:
                text.append(token)
                continue
            time = (token - self._first_time) * _TIME_STEP_S
            close(time)
            start = time
        close(WINDOW_S)
        return segments

    def _spectrogram(self, samples: Floats) -> Floats:
        padded = np.pad(np.pad(samples, (0, _WINDOW_SAMPLES - len(samples))), _FRAME // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP][:_WINDOW_FRAMES]
        power = np.abs(np.fft.rfft(frames * self._hann, axis=-1)).astype(np.float32) ** 2
        loudness = np.log10(np.maximum(self._mel @ power.T, 1e-10))
        scaled = (np.maximum(loudness, loudness.max() - 8) + 4) / 4
        return np.ascontiguousarray(scaled[None], dtype=np.float32)


def _mel_filters() -> Floats:
    """Slaney's scale: linear below 1000 Hz, then 27 steps for each factor of 6.4. Each band has the same area."""
    linear, bend_hz, step = 200 / 3, 1000.0, np.log(6.4) / 27
    bend = bend_hz / linear
    highest = bend + np.log(SAMPLE_RATE / 2 / bend_hz) / step
    mels = np.linspace(0, highest, _BANDS + 2)
    hertz = np.where(mels < bend, mels * linear, bend_hz * np.exp(step * (mels - bend)))
    bins = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE)
    widths = np.diff(hertz)
    rising = (bins - hertz[:-2, None]) / widths[:-1, None]
    falling = (hertz[2:, None] - bins) / widths[1:, None]
    bands = np.maximum(0, np.minimum(rising, falling)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]
    return np.asarray(bands, dtype=np.float32)
