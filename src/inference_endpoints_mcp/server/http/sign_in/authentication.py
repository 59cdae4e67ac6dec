"""Who calls: a caller signs in with each request, by a key or by a token of an identity provider."""

import logging
from collections.abc import Sequence

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_mcp.server.http.sign_in.oauth_settings import WELL_KNOWN, OAuthSettings, ProviderUnavailable
from inference_endpoints_mcp.server.scopes import READ

log = logging.getLogger(__name__)

RETRY_AFTER_S = 10


class AuthenticationMiddleware:
    """Lets through what one of the verifiers knows, and notes its caller.

    The SDK binds sessions and the state of questions to that caller: nobody continues those of another. With `oauth`,
    whoever is not known learns where to sign in.
    """

    def __init__(self, app: ASGIApp, verifiers: Sequence[TokenVerifier], oauth: OAuthSettings | None = None) -> None:
        self._app = AuthContextMiddleware(app)
        self._verifiers = verifiers
        self._oauth = oauth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._oauth is not None and scope["path"] in {self._oauth.metadata_path, WELL_KNOWN}:
            await JSONResponse(self._oauth.metadata, headers={"Cache-Control": "max-age=3600"})(scope, receive, send)
            return
        credentials = bearer(Headers(scope=scope))
        try:
            token = await self._verify(credentials)
        except ProviderUnavailable as error:
            log.error("%s", error)
            refusal = {"error": "The identity provider cannot be reached, so nobody can be recognized now."}
            await JSONResponse(refusal, 503, {"Retry-After": str(RETRY_AFTER_S)})(scope, receive, send)
            return
        if token is None:
            await self._refuse(bool(credentials))(scope, receive, send)
            return
        await self._app({**scope, "user": AuthenticatedUser(token)}, receive, send)

    def _refuse(self, has_credentials: bool) -> JSONResponse:
        if self._oauth is None:
            error = {"error": "A valid key is required: Authorization: Bearer …"}
            return JSONResponse(error, 401, {"WWW-Authenticate": "Bearer"})
        challenge = self._oauth.challenge(READ, "invalid_token" if has_credentials else None)
        return JSONResponse({"error": f"Sign in at {self._oauth.issuer}."}, 401, challenge)

    async def _verify(self, bearer: str) -> AccessToken | None:
        for verifier in self._verifiers:
            if bearer and (token := await verifier.verify_token(bearer)):
                return token
        return None


def bearer(headers: Headers) -> str:
    """What a caller signs in with; empty if it sends nothing."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
