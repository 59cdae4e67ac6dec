"""JSON with comments and trailing commas, as editors write and read it.

No maintained Python library edits it in place: those that read it drop the comments when they write.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from inference_endpoints_mcp.install.formats.text_format import KeyPath, TextFormat, Unreadable, nested

_BLANK_OR_COMMENT = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"(?:[ \t]*(?://[^\n\r]*|/\*[^\n]*?\*/))+")
_DECODER = json.JSONDecoder()
_DEEPEST = 2
"""How deep the objects are of which members are found: the file, and one object in it."""
DEFAULT_INDENT = "  "


@dataclass(frozen=True)
class _Value:
    """A value with its place in the text. `members` is None if it is no object."""

    start: int
    end: int
    data: Any
    members: "list[_Member] | None" = None


@dataclass(frozen=True)
class _Member:
    key: str
    start: int
    value: _Value
    comma: int | None
    """Where the comma behind it is."""

    @property
    def end(self) -> int:
        return self.value.end if self.comma is None else self.comma + 1


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> _Value | None:
        """The value; None if there are only comments."""
        if not self._next():
            return None
        try:
            value = self._value()
        except RecursionError:
            raise Unreadable("it is nested too deeply") from None
        if self._next():
            raise self._unexpected()
        return value

    def _next(self) -> str:
        """The next character that is neither blank nor in a comment; empty at the end."""
        match = _BLANK_OR_COMMENT.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _value(self, depth: int = 0) -> _Value:
        """Plain JSON that is deeper than any place of ours is left to the standard library, which is fast."""
        opening = self._next()
        start = self._at
        is_plain = opening not in ("{", "[")
        if is_plain or depth >= _DEEPEST:
            try:
                data, self._at = _DECODER.raw_decode(self._text, start)
                return _Value(start, self._at, data)
            except ValueError:  # no JSON, or a number with too many digits
                if is_plain:
                    raise self._unexpected() from None
        return self._object(depth) if opening == "{" else self._array(depth)

    def _object(self, depth: int) -> _Value:
        start, members = self._at, list[_Member]()
        self._at += 1
        while self._next() != "}":
            if self._next() != '"':
                raise self._unexpected()
            key = self._value()
            if self._next() != ":":
                raise self._unexpected()
            self._at += 1
            value = self._value(depth + 1)
            members.append(_Member(key.data, key.start, value, self._comma("}")))
        self._at += 1
        data = {member.key: member.value.data for member in members}
        if len(data) < len(members):
            raise Unreadable(f"line {self._line(start)}: this object has a key twice")
        return _Value(start, self._at, data, members)

    def _array(self, depth: int) -> _Value:
        start, items = self._at, list[Any]()
        self._at += 1
        while self._next() != "]":
            items.append(self._value(depth + 1).data)
            self._comma("]")
        self._at += 1
        return _Value(start, self._at, items)

    def _comma(self, closing: str) -> int | None:
        found = self._next()
        if found == ",":
            self._at += 1
            return self._at - 1
        if found != closing:
            raise self._unexpected()
        return None

    def _unexpected(self) -> Unreadable:
        found = self._text[self._at : self._at + 1]
        return Unreadable(f"line {self._line(self._at)}: {json.dumps(found) if found else 'its end'} is not expected")

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1


def read(text: str) -> Any:
    root = _Parser(text).document()
    return None if root is None else root.data


def write_value(text: str, path: KeyPath, data: Any) -> str:
    value = _Parser(text).document()
    if value is None:
        comments = text.strip() and text.rstrip("\n") + "\n"
        return f"{comments}{_render(nested(path, data), '', DEFAULT_INDENT)}\n"
    unit = _indent_unit(text, value)
    for depth, key in enumerate(path):
        member = _find(value, key)
        if member is None:
            return _insert(text, value, key, nested(path[depth + 1 :], data), unit)
        value = member.value
    return text[: value.start] + _render(data, _indent_of_line(text, value.start), unit) + text[value.end :]


def drop_value(text: str, path: KeyPath) -> str:
    parent = value = _Parser(text).document()
    for key in path:
        assert value is not None
        parent, member = value, _find(value, key)
        assert member is not None
        value = member.value
    assert parent is not None
    return _remove(text, parent, path[-1])


def _find(value: _Value, key: str) -> _Member | None:
    return next((member for member in value.members or () if member.key == key), None)


def _insert(text: str, parent: _Value, key: str, data: Any, unit: str) -> str:
    """As the last member, in the style of those that are there."""
    name = json.dumps(key, ensure_ascii=False)
    members = parent.members or []
    outer = _indent_of_line(text, parent.start)
    if not members:
        at = parent.start + 1 + len(text[parent.start + 1 : parent.end - 1].rstrip())
        gap = text[at : parent.end - 1]
        closing = gap if "\n" in gap else f"\n{outer}"
        member = f"{name}: {_render(data, outer + unit, unit)}"
        return f"{text[:at]}\n{outer}{unit}{member}{closing}{text[parent.end - 1 :]}"
    last = members[-1]
    inner = _indent_of_line(text, last.start)
    if "\n" in text[parent.start : parent.end]:
        member = f"\n{inner}{name}: {_render(data, inner, unit)}"
    else:
        member = f" {name}: {json.dumps(data, ensure_ascii=False)}"
    at = _after_comment(text, last.end)
    head = text[:at] if last.comma is not None else f"{text[: last.end]},{text[last.end : at]}"
    return f"{head}{member}{',' if last.comma is not None else ''}{text[at:]}"


def _remove(text: str, parent: _Value, key: str) -> str:
    members = parent.members or []
    index = next(index for index, member in enumerate(members) if member.key == key)
    member, before = members[index], members[index - 1] if index else None
    end = _after_comment(text, member.end)
    blank = " \t\r\n" if re.match(r"[ \t]*\r?\n", text[end:]) else " \t"
    head = text[: member.start].rstrip(blank)
    if member.comma is None and before is not None and before.comma is not None:
        head = head[: before.comma] + head[before.comma + 1 :]
    rest = text[end : parent.end - 1]
    if len(members) == 1 and head.endswith("{") and not rest.strip():
        rest = ""
    return head + rest + text[parent.end - 1 :]


def _after_comment(text: str, at: int) -> int:
    """Where a comment on the rest of the line ends."""
    comment = _REST_OF_LINE.match(text, at)
    return comment.end() if comment else at


def _render(data: Any, indent: str, unit: str) -> str:
    return json.dumps(data, indent=unit, ensure_ascii=False).replace("\n", f"\n{indent}")


def _indent_of_line(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indent_unit(text: str, root: _Value) -> str:
    """The indentation of the first member, which stands on a line of its own."""
    first = root.members[0].start if root.members else None
    if first is None or "\n" not in text[root.start : first]:
        return DEFAULT_INDENT
    return _indent_of_line(text, first)[len(_indent_of_line(text, root.start)) :] or DEFAULT_INDENT


JSONC = TextFormat("JSON", read, write_value, drop_value)
