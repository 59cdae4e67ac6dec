"""The image of the demo: a clock, drawn here so that no photograph of others is needed."""

import struct
import zlib
from base64 import b64encode
from math import atan2, hypot, pi

_SIDE = 256
_MIDDLE = _SIDE / 2
_WALL, _RIM, _FACE, _INK = (225, 222, 214), (60, 40, 30), (250, 250, 245), (0, 0, 0)
_Colour = tuple[int, int, int]


def draw_clock() -> str:
    """A PNG file as a data URI."""
    rows = b"".join(b"\0" + bytes(v for x in range(_SIDE) for v in _colour(x, y)) for y in range(_SIDE))
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _colour(x: int, y: int) -> _Colour:
    across, up = x - _MIDDLE, _MIDDLE - y
    distance, angle = hypot(across, up), atan2(across, up) % (2 * pi)
    if distance > 100:
        return _WALL
    if distance > 88:
        return _RIM
    is_mark = distance > 72 and _off(angle % (pi / 6), pi / 6) * distance < 3
    is_hand = (distance < 45 and _off(angle - 5.2, 2 * pi) * distance < 4) or (
        distance < 70 and _off(angle - 1, 2 * pi) * distance < 2.5
    )
    return _INK if is_mark or is_hand else _FACE


def _off(angle: float, turn: float) -> float:
    """How far an angle is from the nearest multiple of a turn."""
    rest = angle % turn
    return min(rest, turn - rest)


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
