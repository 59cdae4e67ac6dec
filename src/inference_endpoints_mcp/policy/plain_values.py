"""Pure: values of variables and arguments that can name nothing: no model, file, address or code."""

import re

_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,3})?")
_SWITCHES = frozenset({"true", "false", "on", "off", "yes", "no"})
_WORDS = frozenset(
    [
        "auto",
        "none",
        "null",
        "half",
        "float",
        "float16",
        "bfloat16",
        "float32",
        "fp8",
        "fp8-e4m3",
        "fp8-e5m2",
        "int8",
        "debug",
        "info",
        "warning",
        "warn",
        "error",
        "trace",
        "critical",
    ]
)


def is_plain(value: object) -> bool:
    """Whether a value is a number, or a word for a number format or a level of logging."""
    if value is None or isinstance(value, int | float):
        return not isinstance(value, bool)
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value) or value.lower() in _WORDS)


def names_nothing(value: object) -> bool:
    """As `is_plain`, and true of switches. A switch can let the code of a model run, and names none."""
    return is_plain(value) or isinstance(value, bool) or (isinstance(value, str) and value.lower() in _SWITCHES)
