"""How many tokens a text can have, whatever the tokenizer: cheap, and rather too many than too few.

Measured in 2026-11 with the tokenizers of OpenAI (cl100k, o200k) and Mistral (the one of Llama 2, and Tekken) on prose,
logs, JSON, digits, hexadecimal, base 64 and many scripts: at most 2 % more in any of them, which the limit allows for.
Outside of ASCII each byte counts as a token, which no tokenizer of bytes can exceed.
"""

import json
import re
import string

from inference_endpoints.errors import cut_text

MAX_ANSWER_TOKENS = 7_800
"""Of every answer, by this bound: it keeps to the 8,000 that are promised."""

_WORDS = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]?[a-z]+(?![A-Za-z0-9])")
_CAPITALS = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2,}(?![A-Za-z0-9])")
_SPACES = re.compile(r" {2,}| (?=[0-9])|(?<=\\)n")
"""Spaces that are no part of the next word, and the second half of a line break in JSON."""
_LETTERS, _DIGITS = string.ascii_letters.encode(), string.digits.encode()
_MOST_CHARACTERS_PER_TOKEN = 8
"""More than any text has that is worth reading: spaces alone have more."""
_PER_WORD_LETTER, _PER_CAPITAL, _PER_OTHER_LETTER, _PER_SIGN, _PER_SPACE = 0.6, 0.7, 0.83, 1.0, 0.5


def token_bound(text: str) -> int:
    """An upper bound of the tokens of a text."""
    ascii_part = text.encode("ascii", "ignore")
    other_bytes = len(text.encode("utf-8", "replace")) - len(ascii_part)
    letters = len(ascii_part) - len(ascii_part.translate(None, _LETTERS))
    digits = len(ascii_part) - len(ascii_part.translate(None, _DIGITS))
    newlines, single_spaces = ascii_part.count(b"\n"), ascii_part.count(b" ")
    in_words = sum(map(len, _WORDS.findall(text)))
    in_capitals = sum(map(len, _CAPITALS.findall(text)))
    repeated_spaces = sum(map(len, _SPACES.findall(text)))
    signs = len(ascii_part) - letters - digits - newlines - single_spaces
    return round(
        other_bytes
        + digits
        + newlines
        + _PER_WORD_LETTER * in_words
        + _PER_CAPITAL * in_capitals
        + _PER_OTHER_LETTER * (letters - in_words - in_capitals)
        + _PER_SIGN * signs
        + _PER_SPACE * repeated_spaces
        + 1
    )


def fits(text: str, tokens: int) -> bool:
    """Whether a text has at most so many tokens, by this bound or by its bytes, which are counted faster.

    >>> fits("three short words", 20)
    True
    """
    return (len(text) <= tokens and len(text.encode("utf-8", "replace")) <= tokens) or token_bound(text) <= tokens


def head_length(text: str, tokens: int) -> int:
    """How many of the first characters have at most so many tokens as text in JSON, where possible up to a line's end.

    >>> head_length("one two three", 100)
    13
    """
    low, high = 0, min(len(text), _MOST_CHARACTERS_PER_TOKEN * tokens)
    if token_bound(_as_json(text[:high])) <= tokens:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if token_bound(_as_json(text[:middle])) <= tokens else (low, middle)
    line_end = text.rfind("\n", 0, low) + 1
    return line_end if line_end > low // 2 else len(cut_text(text, low))


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
