"""What the header of a media file says: pixels of an image, seconds of a sound. Nothing is decoded."""

import struct
from dataclasses import dataclass

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a segment with the size of the image."""
_OPUS_RATE = 48_000


@dataclass(frozen=True)
class MediaFacts:
    """None where the header does not say, or the format is not known."""

    width: int | None = None
    height: int | None = None
    seconds: float | None = None


def read_media_facts(content: bytes) -> MediaFacts:
    """The facts in the header of a file, which others wrote: a header that contradicts itself gives none."""
    try:
        if size := _pixels(content):
            return MediaFacts(*size)
        seconds = _seconds(content)
        return MediaFacts(seconds=None if seconds is None else round(seconds, 2))
    except (struct.error, IndexError, ZeroDivisionError):
        return MediaFacts()


def _pixels(content: bytes) -> tuple[int, int] | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _pair(">II", content, 16) if content[12:16] == b"IHDR" else None
    if content.startswith(b"GIF8"):
        return _pair("<HH", content, 6)
    if content.startswith(b"BM"):
        width, height = _pair("<ii", content, 18)
        return width, abs(height)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg_size(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp_size(content)
    return None


def _pair(form: str, content: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, content, offset)
    return first, second


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # a filling byte
            place += 1
            continue
        if marker in _JPEG_SIZES:
            height, width = _pair(">HH", content, place + 5)
            return width, height
        place += 2 + struct.unpack_from(">H", content, place + 2)[0]
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[start : start + 3], "little") for start in (24, 27))
        return width + 1, height + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = _pair("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _seconds(content: bytes) -> float | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return _wave_seconds(content)
    if content.startswith(b"fLaC"):
        packed = int.from_bytes(content[18:26], "big")
        return float((packed & (1 << 36) - 1) / (packed >> 44))
    if content.startswith(b"OggS"):
        return _ogg_seconds(content)
    return None


def _wave_seconds(content: bytes) -> float | None:
    place, bytes_per_second = 12, 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        if kind == b"fmt ":
            bytes_per_second = struct.unpack_from("<I", content, place + 16)[0]
        if kind == b"data":
            # A stream states a size that it did not know yet.
            return float(min(size, len(content) - place - 8) / bytes_per_second)
        place += 8 + size + size % 2
    return None


def _ogg_seconds(content: bytes) -> float | None:
    """The position of the last page, divided by the rate: of Opus always the same, of Vorbis in its header."""
    last = content.rfind(b"OggS")
    position = struct.unpack_from("<q", content, last + 6)[0]
    vorbis = content.find(b"\x01vorbis", 0, 100)
    rate = struct.unpack_from("<I", content, vorbis + 12)[0] if vorbis >= 0 else _OPUS_RATE
    return float(position / rate) if position > 0 else None
