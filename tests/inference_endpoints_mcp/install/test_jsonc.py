"""Edits of JSON with comments, in whatever style it is written."""

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_endpoints_mcp.install.formats.jsonc import JSONC
from inference_endpoints_mcp.install.formats.text_format import Unreadable

PATH = ("mcpServers", "inference-endpoints")
ENTRY = {"command": "server", "args": ["--local"]}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
documents = st.fixed_dictionaries({}, optional={"mcpServers": st.dictionaries(st.text(max_size=5), values, max_size=3)})


def write(data: Any, chance: random.Random) -> str:
    """The data in some style: with comments, blank lines and trailing commas, on one line or on many."""
    newline = "" if chance.random() < 0.2 else "\n"

    def gap() -> str:
        blanks = [
            "",
            " ",
            "\t",
            newline,
            f"/* kept {chance.random()} */",
            f"// kept {chance.random()} \n" if newline else "",
        ]
        return "".join(chance.choices(blanks, k=2))

    def render(value: Any) -> str:
        if not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=chance.random() < 0.5)
        items = [render(item) for item in value]
        if isinstance(value, dict):
            items = [f"{key}{gap()}:{gap()}{render(value[name])}" for key, name in zip(items, value, strict=True)]
        inner = f"{gap()},{gap()}".join(items) + (gap() + "," if items and chance.random() < 0.3 else "")
        left, right = "{}" if isinstance(value, dict) else "[]"
        return f"{left}{gap()}{inner}{gap()}{right}"

    return gap() + render(data) + gap()


@settings(max_examples=150, deadline=None)
@given(documents, values, st.randoms(use_true_random=False))
def test_an_entry_comes_and_goes_and_all_else_stays(data: dict[str, Any], extra: Any, chance: random.Random) -> None:
    data = {"first": extra, **data}
    text = write(data, chance)
    comments = re.findall(r"kept [\d.e-]+", text)
    added = JSONC.set(text, PATH, ENTRY)
    servers = data.get("mcpServers", {})
    assert JSONC.read(added) == {**data, "mcpServers": {**servers, PATH[1]: ENTRY}}
    replaced = JSONC.set(added, PATH, {"command": "other"})
    assert JSONC.get(replaced, PATH) == {"command": "other"}
    removed = JSONC.remove(replaced, PATH)
    assert JSONC.read(removed) == {**data, "mcpServers": servers}
    assert re.findall(r"kept [\d.e-]+", removed) == comments


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1} x', "line 1"),
        ("{\n'a': 1}", "line 2"),
        ('{"a": 01}', "line 1"),
        ('{"a" 1}', "line 1"),
        ('{"a": 1 "b": 2}', "line 1"),
        ("{/* never closed }", "line 1"),
        ('{"a": "b\nc"}', "line 1"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        JSONC.set(text, PATH, ENTRY)
