"""Who calls: a caller signs in with each request, by a key or by a token of an identity provider."""

from collections.abc import Sequence

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class AuthenticationMiddleware:
    """Lets through what one of the verifiers knows, and notes its caller.

    The SDK binds sessions and the state of questions to that caller: nobody continues those of another.
    """

    def __init__(self, app: ASGIApp, verifiers: Sequence[TokenVerifier]) -> None:
        self._app = AuthContextMiddleware(app)
        self._verifiers = verifiers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = await self._verify(bearer(Headers(scope=scope)))
        if token is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            refusal = JSONResponse({"error": "A valid key is required: Authorization: Bearer …"}, 401, challenge)
            await refusal(scope, receive, send)
            return
        await self._app({**scope, "user": AuthenticatedUser(token)}, receive, send)

    async def _verify(self, bearer: str) -> AccessToken | None:
        for verifier in self._verifiers:
            if bearer and (token := await verifier.verify_token(bearer)):
                return token
        return None


def bearer(headers: Headers) -> str:
    """What a caller signs in with; empty if it sends nothing."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
