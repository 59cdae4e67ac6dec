"""A regular expression as a grammar of the engine (GBNF).

The whole text has to match. Classes are those of ASCII, as in ECMAScript: `\\d` is 0 to 9. What a grammar has no words
for (looking around, references back, boundaries, flags) is refused and not approximated.
"""

import re
from importlib import import_module
from typing import Any

# The standard library has no public parser of these, and no types of its own one.
_parser: Any = import_module("re._parser")
_constants: Any = import_module("re._constants")

MAX_REPEATED = 1000
"""How often a part can be repeated, with the repetitions around it: the engine writes each of them out."""

MAX_IN_A_ROW = 20
"""How many parts in a row may be empty, each repetition counted: the engine follows every choice among them, and twice
as many take it ten times as long, for each token."""

_SETS = {"DIGIT": "0-9", "WORD": "A-Za-z0-9_", "SPACE": r" \t\n\r\x0B\x0C"}


def grammar_of(pattern: str) -> str:
    """The grammar of the texts that match all of `pattern`. Raises ValueError with what it cannot say."""
    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if parsed.state.flags & ~re.UNICODE:
        raise ValueError("has flags, and a grammar has none")
    return f"root ::= {_sequence(_without_anchors(list(parsed)), 1)}"


def _without_anchors(items: list[Any]) -> list[Any]:
    """The start and the end of the text say nothing where the whole text has to match."""
    if items and items[0] == (_constants.AT, _constants.AT_BEGINNING):
        items = items[1:]
    if items and items[-1] == (_constants.AT, _constants.AT_END):
        items = items[:-1]
    return items


def _sequence(items: Any, times: int) -> str:
    in_a_row = 0
    for item in items:
        may_be_empty = _may_be_empty(*item)
        in_a_row = in_a_row + may_be_empty if may_be_empty else 0
        if in_a_row > MAX_IN_A_ROW:
            raise ValueError(f"has more than {MAX_IN_A_ROW} parts in a row that may be empty")
    return " ".join(_element(str(kind), value, times) for kind, value in items) or '""'


def _element(kind: str, value: Any, times: int) -> str:
    match kind:
        case "LITERAL":
            return f"[{_character(value)}]"
        case "NOT_LITERAL":
            return f"[^{_character(value)}]"
        case "ANY":
            return r"[^\n]"
        case "IN":
            return _class(value)
        case "BRANCH":
            return f"({' | '.join(_sequence(branch, times) for branch in value[1])})"
        case "SUBPATTERN" if not value[1] and not value[2]:
            return f"({_sequence(value[3], times)})"
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, repeated = value
            return _repeat(low, high, repeated, times)
    raise ValueError(f"has a part that no grammar can say: {kind.lower().replace('_', ' ')}")


def _may_be_empty(kind: Any, value: Any) -> int:
    """How many parts that may be empty an element is, written out; 0 if it cannot be empty."""
    match str(kind):
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, repeated = value
            inside = _all_may_be_empty(repeated)
            return max(1, int(low + 1 if high is _constants.MAXREPEAT else high) * inside) if inside or not low else 0
        case "SUBPATTERN":
            return _all_may_be_empty(value[3])
        case "BRANCH":
            empty = [number for branch in value[1] if (number := _all_may_be_empty(branch))]
            return 1 + sum(empty) if empty else 0
    return 0


def _all_may_be_empty(items: Any) -> int:
    """The same for elements one after another: 1 if there are none."""
    numbers = [_may_be_empty(kind, value) for kind, value in items]
    return (sum(numbers) or 1) if all(numbers) else 0


def _repeat(low: Any, high: Any, repeated: Any, times: int) -> str:
    is_bounded = high is not _constants.MAXREPEAT
    times *= max(1, int(high if is_bounded else low))
    if times > MAX_REPEATED:
        raise ValueError(f"repeats a part more than {MAX_REPEATED} times")
    return f"({_sequence(repeated, times)}){{{low},{high if is_bounded else ''}}}"


def _class(items: list[Any]) -> str:
    """A set of characters. One that has "all but digits" among others is a choice of sets."""
    is_negated = str(items[0][0]) == "NEGATE"
    inside, others = "", []
    for kind, value in items[1:] if is_negated else items:
        match str(kind):
            case "LITERAL":
                inside += _character(value)
            case "RANGE":
                inside += f"{_character(value[0])}-{_character(value[1])}"
            case "CATEGORY":
                name = str(value).removeprefix("CATEGORY_")
                if name.startswith("NOT_"):
                    others.append(_SETS[name.removeprefix("NOT_")])
                else:
                    inside += _SETS[name]
    if not is_negated:
        return f"({' | '.join(([f'[{inside}]'] if inside else []) + [f'[^{other}]' for other in others])})"
    if not others:
        return f"[^{inside}]"
    if len(others) == 1 and not inside:
        return f"[{others[0]}]"
    raise ValueError("has a class that leaves out another one")


def _character(code: int) -> str:
    """Written by its number unless it is a letter or a digit: no other character needs to be known here."""
    return chr(code) if code < 128 and chr(code).isalnum() else f"\\U{code:08X}"
