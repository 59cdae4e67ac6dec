"""Images in a chat, checked by their first bytes before the engine decodes them.

The engine takes anything for a film that is no image, and allocates whatever size a file announces.
"""

import base64
import struct

MAX_PIXELS = 40_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The segments of a JPEG file that have its size."""


def refusal(data_uri: str) -> str | None:
    """Why the image in a data URI cannot be read, as the end of a sentence; None if it can."""
    try:
        content = base64.b64decode("".join(data_uri.partition(",")[2].split()), validate=True)
        width, height = _size(content)
    except (ValueError, struct.error, IndexError):
        return "is no whole PNG or JPEG image in base64"
    if not 0 < width * height <= MAX_PIXELS:
        return f"is an image of {width} x {height} pixels: at most {MAX_PIXELS // 1_000_000} million are read here"
    return None


def _size(content: bytes) -> tuple[int, int]:
    """Width and height. Raises ValueError, struct.error or IndexError."""
    if content.startswith(_PNG):
        if content[12:16] != b"IHDR":  # engines read a size that stands behind another chunk
            raise ValueError
        width, height = struct.unpack_from(">II", content, 16)
        return int(width), int(height)
    if not content.startswith(_JPEG):
        raise ValueError
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError
        if content[at + 1] == 0xFF:  # a filling byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        if content[at + 1] in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return int(width), int(height)
        at += 2 + length
