"""An identity provider on this machine: the SDK's own authorization server, with tokens that are JWTs."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    IdentityAssertionParams,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.scopes import MANAGE, READ


@dataclass
class IdentityProvider:
    """Every sign-in is by `user`, who grants the scopes in `grants` of those asked for."""

    issuer: str = ""
    user: str = "alice"
    grants: frozenset[str] = frozenset({READ, MANAGE})
    valid_for_s: int = 300
    says_valid_for_s: int = 300
    sign_ins: list[list[str]] = field(default_factory=list)
    refreshes: int = 0
    key_reads: int = 0

    def __post_init__(self) -> None:
        self.rotate()
        self._clients: dict[str, OAuthClientInformationFull] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._refresh: dict[str, tuple[RefreshToken, str | None]] = {}

    def rotate(self) -> None:
        """Sign with a new key; the old one is gone."""
        self.key_id, self._key = uuid4().hex, rsa.generate_private_key(65_537, 2_048)

    def jwt(self, **claims: Any) -> str:
        """A token with these claims; None leaves one out."""
        now = int(time.time())
        given = {"iss": self.issuer, "sub": self.user, "iat": now, "exp": now + self.valid_for_s, "client_id": "test"}
        kept = {name: value for name, value in (given | claims).items() if value is not None}
        return jwt.encode(kept, self._key, "RS256", headers={"kid": self.key_id})

    def keys(self, _: Request) -> JSONResponse:
        self.key_reads += 1
        public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return JSONResponse({"keys": [public | {"kid": self.key_id, "use": "sig", "alg": "RS256"}]})

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self._clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id
        may_ask_for = f"{READ} {MANAGE}"
        self._clients[client_info.client_id] = client_info.model_copy(update={"scope": may_ask_for})

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        scopes = sorted(self.grants.intersection(params.scopes or []))
        self.sign_ins.append(scopes)
        code = uuid4().hex
        self._codes[code] = AuthorizationCode(
            code=code,
            scopes=scopes,
            expires_at=time.time() + 60,
            client_id=client.client_id or "",
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(self, client: object, authorization_code: str) -> AuthorizationCode | None:
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        code = self._codes.pop(authorization_code.code)
        return self._issue(client.client_id or "", code.scopes, code.resource)

    async def load_refresh_token(self, client: object, refresh_token: str) -> RefreshToken | None:
        found = self._refresh.get(refresh_token)
        return found[0] if found else None

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        self.refreshes += 1
        token, resource = self._refresh.pop(refresh_token.token)
        return self._issue(client.client_id or "", scopes or token.scopes, resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return None

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        return None

    async def exchange_identity_assertion(
        self, client: OAuthClientInformationFull, params: IdentityAssertionParams
    ) -> OAuthToken:
        raise TokenError("unsupported_grant_type")

    def _issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        refresh = uuid4().hex
        self._refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes), resource
        return OAuthToken(
            access_token=self.jwt(aud=resource, scope=" ".join(scopes), client_id=client_id),
            expires_in=self.says_valid_for_s,
            scope=" ".join(scopes),
            refresh_token=refresh,
        )


@asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    """A provider on a port of its own. Ending the block takes it away."""
    provider = IdentityProvider()
    with TcpAddress("127.0.0.1", 0).listen() as (listener, _):
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        routes = create_auth_routes(
            provider,
            AnyHttpUrl(root),
            client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=[READ, MANAGE]),
        )

        async def metadata(_: Request) -> JSONResponse:
            return JSONResponse(
                {
                    "issuer": provider.issuer,
                    "authorization_endpoint": f"{root}/authorize",
                    "token_endpoint": f"{root}/token",
                    "registration_endpoint": f"{root}/register",
                    "jwks_uri": f"{root}/keys",
                    "scopes_supported": [READ, MANAGE],
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["authorization_code", "refresh_token"],
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )

        provider.issuer = root
        own = [Route("/.well-known/oauth-authorization-server", metadata), Route("/keys", provider.keys)]
        config = uvicorn.Config(Starlette(routes=[*own, *routes]), log_config=None, ws="none", lifespan="off")
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield provider
        finally:
            await server.shutdown(sockets=[listener])
