"""Joins the sources to one page without further files, once in a process.

The sources are modules, so that each says what it needs. A page of one file has no modules: they are joined in the
order of their imports, in one scope. So top-level names differ between files, which a test checks.
"""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from pathlib import PurePosixPath

from inference_endpoints_mcp import __version__

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[a-z_/.]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const |class |function |async function )", re.MULTILINE)
_FOLDER = resources.files(__package__)
_NO_REQUESTS = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; form-action 'none'"
_NO_ICON = '<link rel="icon" href="data:,">\n'
"""Else a browser asks the server for one."""


@cache
def page_for_hosts() -> str:
    """For an iframe of a host. Its own policy allows no request, whatever the host's allows; hosts may add scripts."""
    return _join(f'<meta http-equiv="Content-Security-Policy" content="{_NO_REQUESTS}; base-uri \'none\'">\n')


@cache
def page_for_browser() -> str:
    """For a browser, served with `browser_policy`."""
    return _join(_NO_ICON)


@cache
def browser_policy() -> str:
    """The Content-Security-Policy of the page in a browser: it talks to its own server alone, runs its own script
    alone, and no text can become HTML."""
    script, style = (f"'sha256-{_digest(part)}'" for part in (_script(), _style()))
    return (
        f"default-src 'none'; connect-src 'self'; script-src {script}; style-src {style}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def script_modules() -> dict[str, str]:
    """The modules by their paths, each after those that it imports."""
    joined: dict[str, str] = {}

    def add(path: PurePosixPath) -> None:
        text = _read("source", *path.parts)
        for imported in _IMPORT.findall(text):
            add_once(_resolve(path.parent, imported))
        joined[str(path)] = text

    def add_once(path: PurePosixPath) -> None:
        if str(path) not in joined:
            add(path)

    add(PurePosixPath("main.js"))
    return joined


def _join(head: str) -> str:
    page = _read("source", "page.html")
    for mark, part in (("HEAD", head), ("STYLE", _style()), ("SCRIPT", _script())):
        page = page.replace(f"<!-- {mark} -->", part)
    return page


@cache
def _style() -> str:
    return _read("vendor", "uplot", "uPlot.min.css") + "".join(
        _read("source", name) for name in ("look.css", "parts.css")
    )


@cache
def _script() -> str:
    modules = [_EXPORT.sub("", _IMPORT.sub("", text)) for text in script_modules().values()]
    body = "\n".join([f'const VERSION = "{__version__}";', *modules])
    return f'{_read("vendor", "uplot", "uPlot.iife.min.js")}\n(() => {{\n"use strict";\n{body}}})();\n'


def _resolve(folder: PurePosixPath, imported: str) -> PurePosixPath:
    parts = list(folder.parts)
    for part in PurePosixPath(imported).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)


def _read(*path: str) -> str:
    return _FOLDER.joinpath(*path).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
