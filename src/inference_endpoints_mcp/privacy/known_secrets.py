"""Secrets that are known by value: the token in use, and what the operator lends.

Whoever can print a secret can also disguise it. So a value is found as it is, and without regard to case and to
anything between its letters and digits: reversed, in hexadecimal, in base 85, 64 or 32, as character codes, rotated by
13, in letters of another width or style, with accents, and in characters that nobody sees and models read.
"""

import base64
import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import quote
from weakref import WeakValueDictionary

from inference_endpoints_mcp.privacy.plain_letters import plain_letters

MASK = "***"
MIN_SECRET_LENGTH = 8
"""A shorter value is too common to be masked in all text."""
SHORTEST_REST, LONGEST_REST = 6, 12
"""Characters of a value at the end of a text that was cut: half of it, within these bounds. Fewer could be anything."""
_BLOCK = 8
"""Letters and digits of a block. A trace of 15 or more has a whole block wherever it stands in a text, so one look-up
for each block of a text finds out whether any trace of a secret can be there."""
_SEPARATORS = bytes(code for code in range(256) if not chr(code).isalnum() or code > 127)


def mask_lines(text: str) -> str:
    """A mask of as many lines: the lines of a log stay apart."""
    return "\n".join([MASK] * (text.count("\n") + 1))


class _Secret:
    """A value, and the forms in which it is looked for."""

    def __init__(self, value: str) -> None:
        self.value = value
        traces = {trace for trace in _traces(value) if len(trace) >= MIN_SECRET_LENGTH}
        self.traces = tuple(trace for trace in traces if len(trace) >= 2 * _BLOCK - 1)
        self.short_traces = tuple(traces.difference(self.traces))
        self.blocks = frozenset(
            trace[at : at + _BLOCK] for trace in self.traces for at in range(len(trace) - _BLOCK + 1)
        )

    def traces_in(self, letters: bytes, blocks: set[bytes]) -> list[bytes]:
        """Those that are in a text with these letters and digits, and these blocks of them."""
        likely = self.short_traces if self.blocks.isdisjoint(blocks) else self.short_traces + self.traces
        return [trace for trace in likely if trace in letters]


_secrets = WeakValueDictionary[str, _Secret]()
"""Each for as long as somebody knows it. Its forms take 2 ms and 170 KB."""


class KnownSecrets:
    """Finds and masks known values in text."""

    def __init__(self) -> None:
        self._times_added: Counter[str] = Counter()
        self._secrets: list[_Secret] = []
        """The longest first."""

    def add(self, value: str) -> None:
        """Mask this value from now on. One shorter than `MIN_SECRET_LENGTH` is not masked."""
        if len(value) < MIN_SECRET_LENGTH:
            return
        self._times_added[value] += 1
        if self._times_added[value] == 1:
            known = _secrets.get(value) or _secrets.setdefault(value, _Secret(value))
            self._secrets = sorted([*self._secrets, known], key=lambda secret: len(secret.value), reverse=True)

    def forget(self, value: str) -> None:
        """Take back one `add`. A value is masked for as long as another one stands."""
        self._times_added -= Counter([value])
        if value not in self._times_added:
            self._secrets = [secret for secret in self._secrets if secret.value != value]

    def mask(self, text: str) -> str:
        """The text without the values, in whatever form."""
        if not self._secrets:
            return text
        for secret in self._secrets:
            text = text.replace(secret.value, mask_lines(secret.value))
        plain = _plain(text)
        letters = _letters(plain)
        blocks = {letters[at : at + _BLOCK] for at in range(0, len(letters), _BLOCK)}
        found = [trace for secret in self._secrets for trace in secret.traces_in(letters, blocks)]
        return self._mask_ends(_mask_traces(text, plain, letters, found) if found else text)

    def _mask_ends(self, text: str) -> str:
        """A value that was cut in two leaves its first part at the end, or its last part at the beginning."""
        for value in (secret.value for secret in self._secrets):
            shortest = max(SHORTEST_REST, min(LONGEST_REST, len(value) // 2))
            head, tail = value[:shortest], value[-shortest:]
            if head in text[-len(value) :] or tail in text[: len(value)]:
                text = _mask_end(text, value, shortest)
        return text


def _mask_end(text: str, value: str, shortest: int) -> str:
    for length in range(min(len(value) - 1, len(text)), shortest - 1, -1):
        if text.endswith(value[:length]):
            return text[:-length] + MASK
        if text.startswith(value[-length:]):
            return MASK + text[length:]
    return text


def _plain(text: str) -> str:
    """A text of the same length, with letters and digits of ASCII for those that look like them."""
    return text if text.isascii() else text.translate(plain_letters())


def _letters(text: str) -> bytes:
    """The letters and digits of a text whose letters are ASCII, in lower case."""
    return text.encode("utf-8", "replace").lower().translate(None, _SEPARATORS)


def _mask_traces(text: str, plain: str, letters: bytes, traces: list[bytes]) -> str:
    positions = [index for index, char in enumerate(plain) if char.isascii() and char.isalnum()]
    spans = sorted(
        (positions[match.start()], positions[match.end() - 1] + 1)
        for trace in traces
        for match in re.finditer(re.escape(trace), letters)
    )
    parts, end = [], 0
    for start, stop in spans:
        if stop > end:
            parts += [text[end:start], mask_lines(text[max(start, end) : stop])]
            end = stop
    return "".join([*parts, text[end:]])


def _traces(value: str) -> Iterator[bytes]:
    """The letters and digits of every form in which a value is looked for."""
    plain, reversed_value = value.encode(), value[::-1].encode()
    forms = [value, quote(value, safe=""), codecs.encode(value, "rot13"), "".join(str(code) for code in plain)]
    forms += [between.join(["", *(f"{code:02x}" for code in plain)]) for between in ("", "x", "0x", "u00")]
    forms += [*_aligned(plain, base64.b64encode, 6, 3), *_aligned(plain, base64.b32encode, 5, 5)]
    forms += [*_in_base_85(plain, base64.b85encode), *_in_base_85(plain, base64.a85encode)]
    for form in (*forms, reversed_value.hex(), *_aligned(reversed_value, base64.b64encode, 6, 3)):
        letters = _letters(_plain(form))
        yield letters
        yield letters[::-1]


def _aligned(value: bytes, encode: Callable[[bytes], bytes], bits: int, group: int) -> Iterator[str]:
    """An encoded value after any other bytes: the characters that depend on the value alone."""
    for before in range(group):
        first, last = -(-before * 8 // bits), (before + len(value)) * 8 // bits
        yield encode(bytes(before) + value).decode()[first:last]


def _in_base_85(value: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """A value after any other bytes: its whole groups of four bytes, each of which is five characters."""
    for before in range(4):
        first = -before % 4
        yield encode(value[first : len(value) - (len(value) - first) % 4]).decode()
