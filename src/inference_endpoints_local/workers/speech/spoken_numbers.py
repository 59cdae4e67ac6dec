"""Numbers, amounts and signs in a text as English words."""

import re

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_POWERS = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_SIGNS = {"%": " percent ", "&": " and ", "+": " plus ", "@": " at ", "=": " equals ", "/": " slash ", "°": " degrees "}
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-\u2212])?(?P<currency>[$€£])?(?P<whole>\d[\d,]*)(?:\.(?P<part>\d+))?(?P<end>st|nd|rd|th)?"
)
_LONGEST = 15
"""Digits of the largest number that is read as one; longer ones are read digit by digit."""
_YEARS = range(1100, 2100)


def in_words(text: str) -> str:
    """The text with its numbers and signs written out."""
    text = _NUMBER.sub(lambda found: f" {_spoken(found)} ", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    # Digits that are part of a name, as in `x1`.
    return re.sub(r"\d", lambda digit: f" {_ONES[int(digit[0])]} ", text)


def _spoken(found: re.Match[str]) -> str:
    digits, part = found["whole"].replace(",", ""), found["part"]
    sign = "minus " if found["sign"] else ""
    if found["currency"]:
        return sign + _amount(int(digits), part, *_CURRENCIES[found["currency"]])
    if found["end"] and not part:
        return sign + _ordinal(cardinal(digits))
    if part:
        return f"{sign}{cardinal(digits)} point {_each_digit(part)}"
    is_year = len(found["whole"]) == 4 and int(digits) in _YEARS and not sign
    return sign + (_year(int(digits)) if is_year else cardinal(digits))


def cardinal(digits: str) -> str:
    """A whole number of any length; one with leading zeros is an identifier, and read digit by digit."""
    if len(digits) > _LONGEST or (len(digits) > 1 and digits.startswith("0")):
        return _each_digit(digits)
    number, groups = int(digits), []
    for power in _POWERS:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_below_thousand(group) + power)
    return " ".join(reversed(groups)) or "zero"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest:
        tens, ones = divmod(rest, 10)
        words.append(_ONES[rest] if rest < 20 else _TENS[tens] + (f" {_ONES[ones]}" if ones else ""))
    return " ".join(words)


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if year % 1000 < 10:
        return cardinal(str(year))
    if not rest:
        return f"{_below_thousand(century)} hundred"
    return f"{_below_thousand(century)} {'oh ' if rest < 10 else ''}{_below_thousand(rest)}"


def _amount(whole: int, part: str | None, unit: str, small: str) -> str:
    spoken = _count(whole, unit)
    if not part or not int(part):
        return spoken
    if len(part) > 2:
        return f"{cardinal(str(whole))} point {_each_digit(part)} {unit}s"
    few = _count(int(part.ljust(2, "0")), small)
    return few if not whole else f"{spoken} and {few}"


def _count(number: int, unit: str) -> str:
    plural = "pence" if unit == "penny" else f"{unit}s"
    return f"{cardinal(str(number))} {unit if number == 1 else plural}"


def _ordinal(words: str) -> str:
    *before, last = words.split()
    last = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*before, last])


def _each_digit(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)
