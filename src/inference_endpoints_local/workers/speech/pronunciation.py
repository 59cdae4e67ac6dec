"""English text to the sounds of misaki's dictionaries, which are those that Kokoro was trained on.

A word that is in no dictionary is taken apart into an ending and a known word, or two known words. What is still not
known is spelled, letter by letter: nothing is guessed. A word with several pronunciations gets the usual one.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from inference_endpoints_local.workers.speech.spoken_numbers import in_words

_TOKEN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*'?|[;:,.!?]")
_PUNCTUATION = frozenset(";:,.!?")
_VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐ")
_HUSHED = frozenset("ptkfθ")
_HISSED = frozenset("szʃʒʧʤ")
_SHORTEST_PART = 3
"""Letters of each of two words that make one."""
_UNSTRESSED = {"a": "ɐ", "an": "ɐn", "i": "ˌI", "am": "ɐm"}


@dataclass(frozen=True)
class PronouncedText:
    """The sounds of a text, and how many of its words were spelled."""

    sounds: str
    spelled: int


class Pronunciation:
    """The dictionaries. Small words are read by the word that follows: the apple, the pear."""

    def __init__(self, gold: Path, silver: Path) -> None:
        self._words: dict[str, str] = {}
        for path in (silver, gold):  # gold was checked by people, and wins
            for word, sounds in json.loads(path.read_text("utf-8")).items():
                usual = sounds["DEFAULT"] if isinstance(sounds, dict) else sounds
                if usual:
                    self._words[word] = usual

    def pronounce(self, text: str) -> PronouncedText:
        """The sounds of a text, with its punctuation."""
        plain = unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()
        tokens = _TOKEN.findall(in_words(plain))
        sounds, spelled, following = list[str](), 0, ""
        for token in reversed(tokens):
            if token in _PUNCTUATION:
                sounds.append(token)
                following = ""
                continue
            spoken = self._small_word(token, following) or self.word(token)
            if spoken is None:
                spoken, spelled = self._spell(token), spelled + 1
            sounds.append(f" {spoken}")
            following = spoken.lstrip("ˈˌ")[:1]
        return PronouncedText("".join(reversed(sounds)).strip(), spelled)

    def word(self, word: str) -> str | None:
        """The sounds of a word; None if it is not known."""
        word = word.strip("'")
        return self._known(word) or self._with_ending(word) or self._of_two(word)

    def _known(self, word: str) -> str | None:
        return next(
            (self._words[form] for form in (word, word.lower(), word.capitalize()) if form in self._words), None
        )

    def _small_word(self, word: str, following: str) -> str | None:
        before_vowel = following in _VOWELS and bool(following)
        match word.lower():
            case "the":
                return "ði" if before_vowel else "ðə"
            case "to":
                return "tʊ" if before_vowel else "tə"
            case "a" if word == "A" and not following:
                return None  # the letter
            case small:
                return _UNSTRESSED.get(small)

    def _with_ending(self, word: str) -> str | None:
        """`it's`, `answers`, `boxes`, `cities`, `baked`, `asked`, `baking`, `stopped`."""
        low = word.lower()
        for ending, sounded in (("'s", _s), ("s", _s), ("ed", _ed), ("ing", lambda stem: f"{stem}ɪŋ")):
            if not low.endswith(ending) or low.endswith("ss"):
                continue
            stem = low.removesuffix(ending)
            doubled = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
            for form in (stem, f"{stem}e", doubled, re.sub("ie?$", "y", stem), stem.removesuffix("e")):
                if len(form) > 1 and (sounds := self._known(form)):
                    return sounded(sounds)
        return None

    def _of_two(self, word: str) -> str | None:
        for at in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            first, second = self._known(word[:at]), self._known(word[at:])
            if first and second:
                return first + second.replace("ˈ", "ˌ")
        return None

    def _spell(self, word: str) -> str:
        return " ".join(self._words[letter.upper()] for letter in word if letter.isalpha())


_PLAIN = {0x2018: "'", 0x2019: "'", 0x2013: ",", 0x2014: ",", 0x2026: ".", ord("\n"): ". "}
"""Quotation marks, dashes and dots of printed text."""


def _s(stem: str) -> str:
    return stem + ("s" if stem[-1] in _HUSHED else "ᵻz" if stem[-1] in _HISSED else "z")


def _ed(stem: str) -> str:
    return stem + ("ᵻd" if stem[-1] in "td" else "t" if stem[-1] in _HUSHED | set("ʃsʧ") else "d")
