"""The tables in `README.md`: hosts, the flags of the server with the texts of their help, and what needs approval."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from tests.manifests.host_configs import render_hosts_table, render_links

from inference_endpoints_mcp.cli.settings.base import VALUE_WORDS
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.policy.effects import EFFECTS, EffectRule
from inference_endpoints_mcp.policy.owned_limits import flag

_PLACEHOLDERS: dict[Any, str] = {bool: ""} | {
    kind: f" {VALUE_WORDS[kind.__name__]}" for kind in (int, float, str, Path)
}


def render_readme(text: str) -> str:
    """The text of `README.md` with each current table between its two marks."""
    tables = {
        "hosts": render_hosts_table(),
        "links": render_links(),
        "approvals": _approvals(),
        "settings": _settings(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{table}{end}{after}"
    return text


def _approvals() -> str:
    rows = [
        f"| `{effect}` | {rule.covers} | {'yes' if rule.asked else 'no'} | {_without_a_question(rule)} |"
        for effect, rule in EFFECTS.items()
    ]
    head = "| Effect | Covers | Is a person asked? | Where the host cannot ask |"
    return "\n".join([head, "|---|---|---|---|", *rows, ""])


def _without_a_question(rule: EffectRule) -> str:
    if not rule.asked:
        return "done"
    return "refused" if rule.needs_person else "two calls, with a plan's token"


def _settings() -> str:
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
