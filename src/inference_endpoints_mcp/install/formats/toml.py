"""TOML. tomlkit edits it, and the standard library checks the result."""

import tomllib
from typing import Any

from inference_endpoints_mcp.install.formats.text_format import KeyPath, TextFormat, Unreadable


def read(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no valid TOML: {error}") from None


def write_value(text: str, path: KeyPath, data: Any) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        table: Any = document
        for key in path[:-1]:
            if key not in table:
                table[key] = tomlkit.table(is_super_table=True)
            table = table[key]
        entry: Any = tomlkit.inline_table() if isinstance(table, tomlkit.items.InlineTable) else tomlkit.table()
        entry.update(data)
        if not isinstance(entry, tomlkit.items.InlineTable):
            entry.add(tomlkit.nl())  # before the table that follows
        table[path[-1]] = entry
        edited = tomlkit.dumps(document)
        return edited if text.endswith("\n\n") else edited.rstrip("\n") + "\n"
    except TOMLKitError as error:
        raise Unreadable(f"it cannot be edited as TOML: {error}") from None


def drop_value(text: str, path: KeyPath) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    return tomlkit.dumps(document)


TOML = TextFormat("TOML", read, write_value, drop_value)
