"""The table of settings in `README.md`: the flags of the server, with the texts of their help."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from inference_endpoints_mcp.cli.settings import ServerSettings
from inference_endpoints_mcp.policy.rules import flag

BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"

_PLACEHOLDERS: dict[Any, str] = {bool: "", int: " N", float: " NUMBER", str: " NAME", Path: " PATH"}


def render_readme(text: str) -> str:
    """The text of `README.md` with the current table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_table()}{END}{after}"


def _table() -> str:
    rows = [
        f"| `{flag(name)}{_placeholder(field.annotation)}` | {_description(field)} |"
        for name, field in ServerSettings.model_fields.items()
    ]
    return "\n".join(["| Flag | |", "|---|---|", *rows, ""])


def _placeholder(annotation: Any) -> str:
    """What follows the flag: the choices, or the kind of value."""
    if get_origin(annotation) is Literal:
        return " " + "\\|".join(get_args(annotation))
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind in _PLACEHOLDERS]
    return _PLACEHOLDERS[kinds[0]] if kinds else " LIST"


def _description(field: FieldInfo) -> str:
    """The help, and the default if the help does not name it."""
    text = field.description or ""
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    if default in (None, False, "") or "Default:" in text:
        return text
    return f"{text} Default: {default:g}." if isinstance(default, int | float) else f"{text} Default: {default}."
