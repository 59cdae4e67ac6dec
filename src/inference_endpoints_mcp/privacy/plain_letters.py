"""Letters and digits that Unicode has again in another form, and which of ASCII each is to a reader."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

_BLOCKS = (
    *(range(0x80, 0x3400), range(0xA600, 0xAC00), range(0xFF00, 0x10000), range(0x10780, 0x107C0)),
    *(range(0x1D400, 0x1D800), range(0x1F100, 0x1F200), range(0x1FBF0, 0x1FC00), range(0xE0000, 0xE01F0)),
)
"""With an accent, full width, mathematical, circled, raised, of another script's digits, and some that nobody sees."""
_TAGS, _SELECTORS = range(0xE0000, 0xE0080), range(0xE0100, 0xE01F0)
"""Both are invisible, and models read them: a tag is a character of ASCII, a variation selector a byte from 16 on."""
_NAMED = re.compile(r"(?:LATIN LETTER SMALL CAPITAL|NEGATIVE .* LETTER|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])")
"""Letters that Unicode gives no plain form, by their names."""


@cache
def plain_letters() -> Mapping[int, str]:
    """By code, for `str.translate`: a text keeps its length. Made with the first text that needs it, in some 15 ms."""
    plain = ((code, _plain(code)) for block in _BLOCKS for code in block)
    return {code: letter for code, letter in plain if letter.isalnum()}


def _plain(code: int) -> str:
    """One character of ASCII, or an empty text."""
    if code in _TAGS:
        return chr(code - _TAGS.start)
    if code in _SELECTORS:
        byte = code - _SELECTORS.start + 16
        return chr(byte) if byte < 128 else ""
    digit = unicodedata.digit(chr(code), None)
    if digit is not None:
        return str(digit)
    letters = [each for each in unicodedata.normalize("NFKD", chr(code)) if each.isascii() and each.isalnum()]
    if len(letters) == 1:
        return letters[0]
    named = _NAMED.fullmatch(unicodedata.name(chr(code), ""))
    return named[1] if named else ""
