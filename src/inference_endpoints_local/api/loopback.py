"""Answers what is addressed to this machine, and nothing else.

A web page can let a name of its own lead to 127.0.0.1 and send requests there from a browser (DNS rebinding). They name
that host, or the page's origin; this plane is known by the names of the loopback address alone.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})


def refusal(headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    """What a request is refused with that another host, or a page of one, is named in: 421 or 403."""
    said = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    hosts = [f"//{value}" for name, value in said if name == b"host"]
    if not hosts or not all(map(_is_here, hosts)):
        return JSONResponse({"error": "Misdirected Request: this plane answers at 127.0.0.1 and localhost alone"}, 421)
    if not all(_is_here(value) for name, value in said if name == b"origin"):
        return JSONResponse({"error": "Forbidden: pages of other hosts may send nothing here"}, 403)
    return None


def _is_here(address: str) -> bool:
    try:
        return urlsplit(address).hostname in _NAMES
    except ValueError:
        return False
