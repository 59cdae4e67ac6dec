"""The page of the app for a browser, and the link that opens it.

A link has a code in its fragment, which a browser sends to nobody. The page sends it once, for the key of this server,
which it then sends with each call. The page itself has nothing that is not public.
"""

import hmac
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_mcp.app.page import browser_policy, page_for_browser
from inference_endpoints_mcp.server.http.sign_in.authentication import bearer

_CODE_BYTES = 32


class OneTimeLinks:
    """The key of a server, and codes for it that are good once. `on_used` is called when there is a new one."""

    def __init__(self, on_used: Callable[[], None] = lambda: None) -> None:
        self.key = secrets.token_urlsafe(_CODE_BYTES)
        self.code = secrets.token_urlsafe(_CODE_BYTES)
        self.on_used = on_used

    def link(self, root: str) -> str:
        return f"{root}#code={self.code}"

    def redeem(self, code: str) -> str | None:
        """The key for a code; None if it is not the current one."""
        if not hmac.compare_digest(code.encode(), self.code.encode()):
            return None
        self.code = secrets.token_urlsafe(_CODE_BYTES)
        self.on_used()
        return self.key


class PageRoutes:
    """ASGI: the page at `/`, the exchange of a code at `/session`, and all else to `app`, which needs the key."""

    def __init__(self, app: ASGIApp, links: OneTimeLinks) -> None:
        self._app = app
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match (scope["type"], scope.get("method"), scope.get("path")):
            case ("http", "GET", "/"):
                await _page()(scope, receive, send)
            case ("http", "POST", "/session"):
                await self._exchange(Headers(scope=scope))(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    def _exchange(self, headers: Headers) -> Response:
        key = self._links.redeem(bearer(headers))
        if key is None:
            return JSONResponse({"error": "This link was used before. The terminal shows a new one."}, 403)
        return JSONResponse({"key": key}, headers={"Cache-Control": "no-store"})


def _page() -> Response:
    return Response(
        page_for_browser(),
        media_type="text/html",
        headers={
            "Content-Security-Policy": browser_policy(),
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        },
    )
