"""What the headers of media files say, of files that others wrote."""

import struct

import pytest

from inference_endpoints.inference.media_facts import MediaFacts, read_media_facts
from inference_endpoints.inference.tasks.readers.media import wave_file

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 64, 48)
BMP = b"BM" + bytes(16) + struct.pack("<ii", 64, -48)
JPEG = b"\xff\xd8\xff\xe0\0\x04ab" + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 48, 64) + bytes(10)
WEBP = b"RIFF\0\0\0\0WEBP"
FLAC = b"fLaC\0\0\0\x22" + bytes(10) + ((44_100 << 44) | (15 << 36) | 88_200).to_bytes(8, "big") + bytes(16)
OGG = b"OggS\0\2" + bytes(8) + bytes(14) + b"\x01vorbis" + bytes(5) + struct.pack("<I", 8_000)
OGG_END = b"OggS\0\4" + struct.pack("<q", 16_000) + bytes(14)


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (PNG, MediaFacts(640, 480)),
        (GIF, MediaFacts(64, 48)),
        (BMP, MediaFacts(64, 48)),
        (JPEG, MediaFacts(64, 48)),
        (WEBP + b"VP8X" + bytes(8) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little"), MediaFacts(64, 48)),
        (WEBP + b"VP8L" + bytes(5) + struct.pack("<I", 63 | 47 << 14), MediaFacts(64, 48)),
        (WEBP + b"VP8 " + bytes(10) + struct.pack("<HH", 64, 48), MediaFacts(64, 48)),
        (wave_file([0.0] * 4_000, 8_000), MediaFacts(seconds=0.5)),
        (FLAC, MediaFacts(seconds=2.0)),
        (OGG + OGG_END, MediaFacts(seconds=2.0)),
        (b"", MediaFacts()),
        (b"ID3", MediaFacts()),
    ],
)
def test_pixels_and_seconds_are_in_the_header(content: bytes, facts: MediaFacts) -> None:
    assert read_media_facts(content) == facts


@pytest.mark.parametrize("content", [PNG, GIF, BMP, JPEG, WEBP + b"VP8X", wave_file([0.0] * 9, 8_000), FLAC, OGG])
def test_a_header_that_is_cut_off_says_nothing_or_less(content: bytes) -> None:
    for end in range(len(content)):
        read_media_facts(content[:end])
    read_media_facts(content[:8] + bytes(60))
