"""What secrets look like: tokens of known services, private keys, credentials in headers and in addresses."""

import base64
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from inference_endpoints_mcp.privacy.known_secrets import MASK, mask_lines

_RULES = Path(__file__).with_name("secret_rules.toml")

_OWN_RULES = [
    {"keywords": ["hf_", "api_org_"], "pattern": r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}\b"},  # Hugging Face
    {"keywords": ["sk-"], "pattern": r"\bsk-[A-Za-z0-9_-]{16,}"},  # OpenAI, Anthropic and others
    {"keywords": ["akia", "asia", "abia", "acca"], "pattern": r"\bA(?:KI|SI|BI|CC)A[A-Z0-9]{16}\b"},  # AWS
    {"keywords": ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "pattern": r"\bgh[pousr]_[A-Za-z0-9]{20,}\b"},  # GitHub
    {"keywords": ["github_pat_"], "pattern": r"\bgithub_pat_[A-Za-z0-9_]{20,}\b"},
    {"keywords": ["glpat-"], "pattern": r"\bglpat-[\w.-]{16,}"},  # GitLab
    {"keywords": ["xox", "xapp-"], "pattern": r"\bx(?:ox[a-z]|app)-[A-Za-z0-9-]{10,}"},  # Slack
    {"keywords": ["aiza"], "pattern": r"\bAIza[\w-]{30,}"},  # Google
    {"keywords": ["ya29."], "pattern": r"\bya29\.[\w-]{20,}"},
    {"keywords": ["npm_"], "pattern": r"\bnpm_[A-Za-z0-9]{20,}"},  # npm
]
"""The tokens met most often, in any length."""
_SHORTEST_TOKEN = 15
_BEARER = re.compile(r"(?<=bearer )[A-Za-z0-9._~+/-]{12,}=*", re.IGNORECASE)
_BASIC = re.compile(r"(?<=basic )[A-Za-z0-9+/_-]{6,}={0,2}", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)(?:[^/\s:@]+:[^/\s]+|[^/\s:@]{8,})(?=@)")
_BEGIN, _END = (rf"-----{which}[ A-Z0-9_-]{{0,100}}PRIVATE KEY(?: BLOCK)?-----" for which in ("BEGIN", "END"))
_KEY_LINES = r"(?:\s|\\[nr]|[A-Za-z0-9+/]{24,}={0,2}(?![^\s\\\"']))*"
_PRIVATE_KEY = re.compile(
    rf"{_BEGIN}(?:[\s\S]{{1,10000}}?{_END}|{_KEY_LINES})|(?:[A-Za-z0-9+/]{{16,}}\s+)*[A-Za-z0-9+/]+={{0,2}}\s*{_END}"
)
"""A whole one, or what a cut left of it."""


def mask_patterns(text: str) -> str:
    """The text with everything masked that is a secret by its looks."""
    lower = text.lower()
    if "private key" in lower:
        text = _PRIVATE_KEY.sub(lambda found: mask_lines(found[0]), text)
    if "bearer " in lower:
        text = _BEARER.sub(MASK, text)
    if "basic " in lower:
        text = _BASIC.sub(lambda found: MASK if _is_user_and_password(found[0]) else found[0], text)
    if "://" in lower and "@" in lower:
        text = _USER_INFO.sub(MASK, text)
    # Most lines of a log have no word that could hold a token, and are done.
    if long_words := [word for word in lower.split() if len(word) >= _SHORTEST_TOKEN]:
        text = _mask_tokens(text, " ".join(long_words))
    return text


def _mask_tokens(text: str, long_words: str) -> str:
    rules = _rules()
    for keyword in [keyword for keyword in rules if keyword in long_words]:
        for rule in rules[keyword]:
            text = rule().sub(MASK, text)
    return text


def _is_user_and_password(text: str) -> bool:
    """Whether this is the base64 of `user:password`, and not just the next word."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if {*text} & {*"-_"} else None)
        return b":" in decoded and decoded.decode().isprintable()
    except ValueError:
        return False


@cache
def _rules() -> dict[str, list[Callable[[], re.Pattern[str]]]]:
    """The rules by keyword. Each is compiled when its keyword is first met: most never are."""
    found: dict[str, list[Callable[[], re.Pattern[str]]]] = {}
    for rule in [*_OWN_RULES, *tomllib.loads(_RULES.read_text("utf-8"))["rules"]]:
        compiled = cache(lambda pattern=rule["pattern"]: re.compile(pattern))
        for keyword in rule["keywords"]:
            found.setdefault(keyword, []).append(compiled)
    return found
