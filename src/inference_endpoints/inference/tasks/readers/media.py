"""Read images and sounds: files as they are, or as base64 or samples in JSON; and what was seen in an image."""

import struct
from base64 import b64decode
from typing import Any

from inference_endpoints.inference.media import media_type_of
from inference_endpoints.inference.tasks.outputs import (
    BoundingBox,
    DetectedObject,
    LabelledSound,
    Media,
    Segment,
    keep_extra,
)
from inference_endpoints.inference.tasks.readers import Reader, as_text, lists_of_objects, unwrap

_NAMES = ("image", "audio", "video", "b64_json", "blob", "generated_image", "content", "url", "data", "output")
_LISTS = ("data", "images", "audios", "artifacts", "outputs", "predictions", "results")
DEFAULT_SAMPLE_RATE = 16_000
_LOUDEST = 32_767
_MANY_SAMPLES = 64
"""A list of more numbers than this is sound."""


def read_media(kind: str) -> Reader:
    """A reader of files of this kind, `image` or `audio`. An output is one file, or a list where there are several."""

    def read(payload: Any, count: int) -> list[Any]:
        files = [file for file in _files(payload) if file.media_type.startswith(f"{kind}/")]
        if not files or len(files) % count:
            raise ValueError(f"not one {kind} for each input")
        each = len(files) // count
        return files if each == 1 else [files[start : start + each] for start in range(0, len(files), each)]

    return read


def _files(payload: Any) -> list[Media]:
    if isinstance(payload, str):
        return [media_of_text(payload)]
    if isinstance(payload, dict):
        rows = next((payload[name] for name in _LISTS if isinstance(payload.get(name), list)), None)
        if rows is not None and not _is_samples(rows):
            return _files(rows)
        return [_file(payload)]
    if _is_samples(payload):
        raise TypeError("sound without its sampling rate")
    return [file for row in payload for file in _files(row)]


def _file(row: dict[str, Any]) -> Media:
    value: Any = next((row[name] for name in _NAMES if row.get(name)), None)
    if value is None:
        raise KeyError("no file")
    if isinstance(value, dict):
        return _file(value)
    if isinstance(value, list):
        rate = row.get("sampling_rate") or row.get("sample_rate") or DEFAULT_SAMPLE_RATE
        return Media(wave_file(value, int(rate)), "audio/wav")
    return media_of_text(value)


def media_of_text(text: str) -> Media:
    """The file in a data URI or in base64. Raises `ValueError` for other text."""
    head, comma, data = text.partition(",") if text.startswith("data:") else ("", ",", text)
    if not comma or (head and not head.endswith(";base64")):
        raise ValueError("not base64")
    content = b64decode("".join(data.split()), validate=True)
    return Media(content, media_type_of(content, head.removeprefix("data:")))


def read_sounds(payload: Any, count: int) -> list[list[LabelledSound]]:
    """The parts of a recording, such as the voices in it."""
    return [[_sound(row) for row in rows] for rows in lists_of_objects(payload, count)]


def _sound(row: Any) -> LabelledSound:
    file = media_of_text(row["blob"])
    declared = str(row.get("content-type") or row.get("content_type") or "")
    return LabelledSound(as_text(row["label"]), Media(file.content, media_type_of(file.content, declared)))


def _is_samples(value: Any) -> bool:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return isinstance(value, list) and len(value) > _MANY_SAMPLES and isinstance(value[0], int | float)


def wave_file(samples: list[Any], rate: int) -> bytes:
    """The samples, from -1 to 1 and of one channel, as a WAV file of 16 bits."""
    while len(samples) == 1 and isinstance(samples[0], list):
        samples = samples[0]
    loud = [round(max(-1.0, min(1.0, float(sample))) * _LOUDEST) for sample in samples]
    data = struct.pack(f"<{len(loud)}h", *loud)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16,
                       b"data", len(data))  # fmt: skip
    return head + data


def read_objects(payload: Any, count: int) -> list[list[DetectedObject]]:
    """Surest first."""
    lists = lists_of_objects(unwrap(payload, "results", "predictions"), count)
    return [sorted(map(_object, rows), key=lambda found: found.score or 0.0, reverse=True) for rows in lists]


def _object(row: Any) -> DetectedObject:
    box = row["box"] if "box" in row else row["bbox"]
    sides = [box[name] for name in ("xmin", "ymin", "xmax", "ymax")] if isinstance(box, dict) else list(box)
    xmin, ymin, xmax, ymax = (float(side) for side in sides)
    score = None if row.get("score") is None else float(row["score"])
    return keep_extra(DetectedObject(as_text(row["label"]), score, BoundingBox(xmin, ymin, xmax, ymax)), row, {"bbox"})


def read_segments(payload: Any, count: int) -> list[list[Segment]]:
    lists = lists_of_objects(unwrap(payload, "results", "predictions"), count)
    return [[_segment(row) for row in rows] for rows in lists]


def _segment(row: Any) -> Segment:
    mask = media_of_text(row["mask"]) if row.get("mask") else None
    score = None if row.get("score") is None else float(row["score"])
    return keep_extra(Segment(as_text(row["label"]), score, mask), row)
