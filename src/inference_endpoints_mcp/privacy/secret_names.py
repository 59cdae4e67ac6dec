"""What is a secret by its name: a variable, a flag, a header, a part of a URL, a member of a document.

A setting with the name of a secret always counts as one. In free text, such as a log, the names of engines are full of
keys and tokens that are no secrets, so there a weaker name counts only with a value that could be a secret.
"""

import re
import string
from collections.abc import Sequence
from functools import lru_cache

from inference_endpoints_mcp.privacy.known_secrets import MASK, MIN_SECRET_LENGTH

LONGEST_NAME = 64
_CAMEL_CASE_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:tokens?|secrets?|[a-z]*passw(?:or)?ds?|pass|passphrase|pwd|credentials?|keys?|auth|authorization|"
    r"[a-z]*apikey|cookies?)(?:$|[_.-])",
    re.IGNORECASE,
)
_CERTAIN_NAME = re.compile(
    r"(?:^|[_.-])(?:secrets?|[a-z]*passw(?:or)?ds?|passphrase|pwd|credentials?|[a-z]*apikey|"
    r"(?:api|access|account|private|secret|signing|encryption|master|license|shared|service|admin|ssh|hmac)[_.-]keys?|"
    r"(?:hf|hub|access|auth|api|refresh|bearer|session|security|id|bot|csrf|github|gitlab|slack)[_.-]tokens?)$",
    re.IGNORECASE,
)
"""A name of a secret, also in free text."""
_OTHER_NAME = re.compile(
    r"(?:^|[_.-])(?:plan_token|(?:tokens?|keys?|secrets?|credentials?|auth)[_.-]"
    r"(?:file|path|dir|names?|ids?|map|type|mode|format|threshold|limit|count|size|len|length))$",
    re.IGNORECASE,
)
"""Names that look secret and are not. A plan's token is meant for whoever reads the plan."""
_HARMLESS_VALUE = re.compile(r"(?:true|false|none|null|on|off|yes|no|\*+|\$\w+|\$\{\w+\}|<[^>]*>)", re.IGNORECASE)
"""Including a reference to a variable, which is how a command uses a secret without holding it, and `<|end|>`."""
_COULD_BE_SECRET = re.compile(r"(?=[^\d]*\d)(?=[^a-z]*[a-z])[\w+/=~-]{12,}", re.IGNORECASE)

_QUOTED_OR_WORD = r"""\[[^\]\n]*+|\\?"[^"\\\n]*+|\\?'[^'\\\n]*+|[^\s"'\\<>{}\[\]()|,;&]++"""
_HINT = re.compile(
    r"""(?:tokens?|keys?|secret|pass|pwd|cred|auth|cookie|sig|code|x-amz)[\w.-]{0,24}"""
    r"""(?:(?:\\?["'])?[ \t]{0,2}[=:]|\\?["'][ \t]?,|[ \t]{1,4}\S)"""
)
"""A part of a name, in lower case, with what may follow one: finds quickly where an assignment could be."""
_IN_NAMES = frozenset(string.ascii_letters + string.digits + "_.-")
_ASSIGNMENT = re.compile(
    rf"""(?:(?P<lead>[?&]|(?<![\w.-])--?)|(?<![\w.-]))(?P<name>[A-Za-z_][\w.-]{{1,63}}+)
    (?P<mark>(?:\\?["'])?[ \t]{{0,2}}(?:=>|=|:(?!/))[ \t]{{0,2}}
        |(?(lead)(?:\\?["'][ \t]?,[ \t]?|[ \t]{{1,4}})(?!-)|(?!)))
    (?P<value>{_QUOTED_OR_WORD})""",
    re.VERBOSE,
)
_HEADER = re.compile(
    r"""\b((?:(?:proxy-)?authorization|(?:set-)?cookie)(?:\\?["'])?\s{0,2}[:=]\s{0,2})"""
    r"""(\\?"[^"\n]*|\\?'[^'\n]*|[^"'\n]+)""",
    re.IGNORECASE,
)
_QUERY_NAME = re.compile(r"(?:key|sig|signature|code|x-amz-[\w-]+)", re.IGNORECASE)
_ARGUMENT = re.compile(r"--?([A-Za-z][\w.-]*)|(?:--?)?([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


def is_secret(name: str, value: str) -> bool:
    """Whether a setting of this name holds a secret."""
    return bool(value) and is_secret_name(name) and not _is_harmless(value)


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name could hold a secret."""
    return _is_known_name(name) if len(name) <= LONGEST_NAME else _is_known_name.__wrapped__(name)


@lru_cache(maxsize=1_024)
def _is_known_name(name: str) -> bool:
    """Remembered: the fields of an answer have the same names each time."""
    name = _CAMEL_CASE_BOUNDARY.sub("_", name)
    return _SECRET_NAME.search(name) is not None and _OTHER_NAME.search(name) is None


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Arguments of a command with the values of secret names masked: `--name value`, `--name=value`, `NAME=value`."""
    masked, awaited = [], ""
    for argument in arguments:
        if awaited and not argument.startswith("--"):
            masked.append(MASK if is_secret(awaited, argument) else argument)
            awaited = ""
            continue
        found = _ARGUMENT.fullmatch(argument)
        awaited = (found and found[1]) or ""
        secret = found is not None and found[2] and is_secret(found[2], found[3])
        masked.append(f"{argument[: -len(found[3])]}{MASK}" if found and secret else argument)
    return masked


def mask_names(text: str) -> str:
    """Free text with the values of secret names masked."""
    lower = _lower(text)
    if "authorization" in lower or "cookie" in lower:
        text = _HEADER.sub(_mask_header, text)
        lower = _lower(text)
    return _mask_assignments(text, lower)


def _is_harmless(value: str) -> bool:
    is_count = value.isdecimal() and len(value) < MIN_SECRET_LENGTH  # MAX_TOTAL_TOKENS=4096
    return is_count or _HARMLESS_VALUE.fullmatch(value) is not None


def _mask_header(found: re.Match[str]) -> str:
    quote = found[2][: len(found[2]) - len(found[2].lstrip("\\\"'"))]
    return f"{found[1]}{quote}{MASK}"


def _mask_assignments(text: str, lower: str) -> str:
    parts, end = [], 0
    for hint in _HINT.finditer(lower):
        start = _name_start(text, max(end, hint.start() - LONGEST_NAME), hint.start())
        found = _ASSIGNMENT.match(text, start)
        if found is None:
            continue
        value = found["value"].lstrip("\\\"'[")
        if _is_secret_in_text(found["lead"] or "", found["name"], found["mark"], value):
            parts += [text[end : found.end() - len(value)], MASK]
            end = found.end()
    return "".join([*parts, text[end:]])


def _lower(text: str) -> str:
    """In lower case, with every character in its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(char.lower() if char.isascii() else char for char in text)


def _name_start(text: str, first: int, start: int) -> int:
    """Where the name begins that goes on at `start`, with what leads to it: a dash, or `?` or `&` of an address."""
    while start > first and text[start - 1] in _IN_NAMES:
        start -= 1
    return start - 1 if start > first and text[start - 1] in "?&" else start


def _is_secret_in_text(lead: str, name: str, mark: str, value: str) -> bool:
    if lead in {"?", "&"} and _QUERY_NAME.fullmatch(name):
        return bool(value)
    if not is_secret(name, value) or value.startswith("<"):
        return False
    is_setting = lead or (name.isupper() and mark == "=")
    is_certain = is_setting or _CERTAIN_NAME.search(_CAMEL_CASE_BOUNDARY.sub("_", name))
    return bool(is_certain) or _could_be_secret(name, value)


def _could_be_secret(name: str, value: str) -> bool:
    """Whether the value of a weaker name could be a secret. What is just called a key is most often a hash."""
    return not name.lower().endswith(("key", "keys")) and _COULD_BE_SECRET.fullmatch(value) is not None
