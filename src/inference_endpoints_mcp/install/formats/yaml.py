"""YAML. PyYAML finds the place, and lines are put there: a library that writes the whole file changes its style."""

import json
from typing import Any

from inference_endpoints_mcp.install.formats.text_format import KeyPath, TextFormat, Unreadable, nested

DEFAULT_INDENT = 2


def read(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        reason = " ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)])) or error
        raise Unreadable(f"{where}it is no valid YAML: {reason}") from None


def write_value(text: str, path: KeyPath, data: Any) -> str:
    """Sets the value at a path of two keys: the first names a mapping of the file."""
    outer, key = path
    root = _compose(text)
    if root is None:
        lead = text if not text or text.endswith("\n") else f"{text}\n"
        return lead + _block(nested(path, data), 0)
    found = _find(root, outer)
    if found is None:
        if root.flow_style:
            raise Unreadable("it is one line of JSON")
        lead = text if text.endswith("\n") else f"{text}\n"
        return lead + _block(nested(path, data), root.start_mark.column)
    name, mapping = found
    if mapping.tag.endswith(":null") or not mapping.value:
        head = text[: mapping.start_mark.index].rstrip(" ") if mapping.value else text[: name.end_mark.index] + ":"
        return f"{head}\n{_block({key: data}, name.start_mark.column + DEFAULT_INDENT)}{_rest_of_line(text, mapping)}"
    member = _find(mapping, key)
    if mapping.flow_style:
        if member is not None:
            value = member[1]
            return text[: value.start_mark.index] + json.dumps(data) + text[value.end_mark.index :]
        at = mapping.start_mark.index + 1
        return f"{text[:at]}{json.dumps(key)}: {json.dumps(data)}, {text[at:]}"
    lines = text.splitlines(keepends=True)
    if member is not None:
        first, last = _lines_of(member)
        return "".join([*lines[:first], _block({key: data}, member[0].start_mark.column), *lines[last:]])
    first = name.start_mark.line + 1
    lines[first - 1] = lines[first - 1].rstrip("\n") + "\n"
    return "".join([*lines[:first], _block({key: data}, mapping.value[0][0].start_mark.column), *lines[first:]])


def drop_value(text: str, path: KeyPath) -> str:
    outer, key = path
    root = _compose(text)
    found = _find(root, outer)
    assert found is not None
    name, mapping = found
    member = _find(mapping, key)
    assert member is not None
    if mapping.flow_style:
        raise Unreadable(f"{outer} is written on one line: remove {key} from it by hand")
    first, last = _lines_of(member)
    lines = text.splitlines(keepends=True)
    if len(mapping.value) == 1:  # a mapping without members would become null
        at = name.start_mark.line
        ending = name.end_mark.column + 1
        lines[at] = f"{lines[at][:ending]} {{}}{lines[at][ending:]}"
    return "".join([*lines[:first], *lines[last:]])


def _compose(text: str) -> Any:
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise Unreadable("it is no mapping")
    return root


def _find(mapping: Any, key: str) -> Any:
    """The nodes of a key and its value, or None."""
    found = [pair for pair in mapping.value if pair[0].value == key]
    if len(found) > 1:
        raise Unreadable(f"it has {key} twice")
    return found[0] if found else None


def _lines_of(member: Any) -> tuple[int, int]:
    """The lines of a member of a block mapping: the first, and the one behind the last."""
    name, value = member
    return name.start_mark.line, max(_last_line(value), name.start_mark.line) + 1


def _last_line(node: Any) -> int:
    if not isinstance(node.value, list):
        block = node.style in ("|", ">")
        return int(node.end_mark.line) - (1 if block else 0)
    if node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _rest_of_line(text: str, node: Any) -> str:
    """What stands behind an empty mapping: a comment moves to a line of its own."""
    rest = text[node.end_mark.index :]
    line, _, below = rest.partition("\n")
    return f"{line.strip()}\n{below}" if line.strip() else below


def _block(data: Any, column: int) -> str:
    import yaml

    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000)
    return "".join(f"{' ' * column}{line}" for line in text.splitlines(keepends=True))


YAML = TextFormat("YAML", read, write_value, drop_value)
