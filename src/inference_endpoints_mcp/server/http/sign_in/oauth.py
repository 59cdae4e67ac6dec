"""Access tokens of callers who signed in at an identity provider: JWTs (RFC 9068) of one issuer, for this server alone.

PyJWT does the cryptography.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jwt
from mcp.server.auth.provider import AccessToken

from inference_endpoints.models.json_text import parse_json
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.server.http.sign_in.keys import PROFILE
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import (
    OAuthSettings,
    ProviderUnavailable,
    is_safe,
)
from inference_endpoints_mcp.server.scopes import MANAGE, READ

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Only with public keys: a token that is signed with a shared secret, or with nothing, is refused."""
CLOCK_SKEW_S = 30.0
KEYS_VALID_S = 600.0
"""After this time the provider's keys are read again, so that one it has withdrawn is refused."""
NEW_KEYS_EVERY_S = 30.0
"""At most this often they are read again because a token names one that is not known."""
_TIMEOUT_S = 5.0
_LARGEST_DOCUMENT = 1024 * 1024


class IdentityProvider:
    """The public keys of an issuer, found by its metadata and kept until they are old."""

    def __init__(self, issuer: str, now: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._now = now
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this name, None if the issuer has none. Raises `ProviderUnavailable` where no keys are known."""
        async with self._reading:
            age = self._now() - self._read_at
            if age > KEYS_VALID_S or (key_id not in self._keys and age > NEW_KEYS_EVERY_S):
                await self._read()
        return self._keys.get(key_id)

    async def _read(self) -> None:
        self._read_at = self._now()
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
                address = await self._find_keys(client)
                listed = await _document(client, address)
            keys = jwt.PyJWKSet.from_dict(dict(listed or {})).keys
        except (httpx.HTTPError, jwt.PyJWTError, ProviderUnavailable) as error:
            if not self._keys:  # else who has signed in goes on, until the tokens expire
                raise ProviderUnavailable(f"The keys of {self._issuer} cannot be read: {error}") from error
        else:
            self._keys = {key.key_id: key for key in keys}

    async def _find_keys(self, client: "httpx.AsyncClient") -> str:
        """The address of the keys. OAuth (RFC 8414) and OpenID Connect put the metadata in different places."""
        parts = urlsplit(self._issuer)
        path = parts.path.rstrip("/")
        root = f"{parts.scheme}://{parts.netloc}"
        for place in (
            f"{root}/.well-known/oauth-authorization-server{path}",
            f"{root}{path}/.well-known/openid-configuration",
        ):
            found = await _document(client, place)
            if found is None:
                continue
            if found.get("issuer") != self._issuer:
                raise ProviderUnavailable(f"{place} is of another issuer: {clean_line(str(found.get('issuer')), 200)}.")
            address = found.get("jwks_uri")
            if not isinstance(address, str) or not is_safe(address):
                raise ProviderUnavailable(f"{place} has no jwks_uri that can be used.")
            return address
        raise ProviderUnavailable("it publishes no metadata.")


class OAuthTokens:
    """Verifies access tokens of one issuer for this server."""

    def __init__(self, settings: OAuthSettings, provider: IdentityProvider | None = None) -> None:
        self._settings = settings
        self._provider = provider or IdentityProvider(settings.issuer)

    def take_groups(self, groups: Mapping[str, str]) -> None:
        """Callers who sign in from now on have the profiles of these groups."""
        self._settings = replace(self._settings, groups=groups)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Raises `ProviderUnavailable`."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                return None
            key = await self._provider.key(header.get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._settings.resource,
                issuer=self._settings.issuer,
                leeway=CLOCK_SKEW_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError:
            return None
        scopes = _scopes_of(claims)
        if READ not in scopes:
            return None
        return AccessToken(
            token="",
            client_id=str(claims.get("client_id") or claims.get("azp") or ""),
            scopes=scopes,
            expires_at=int(claims["exp"]),
            resource=self._settings.resource,
            subject=str(claims["sub"]),
            claims={"iss": claims["iss"], PROFILE: self._settings.profile_of(claims)},
        )


def _scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """RFC 9068 has `scope`, a string; some providers have `scp`, a list. Who may manage may read."""
    given = claims.get("scope", claims.get("scp", []))
    scopes = given.split() if isinstance(given, str) else [str(each) for each in given]
    return [*scopes, READ] if MANAGE in scopes and READ not in scopes else scopes


async def _document(client: "httpx.AsyncClient", address: str) -> Mapping[str, Any] | None:
    """A JSON object, None where there is none. Raises `httpx.HTTPError` and `ProviderUnavailable`."""
    async with client.stream("GET", address, headers={"Accept": "application/json"}) as response:
        if response.status_code != 200:
            return None
        content = b""
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _LARGEST_DOCUMENT:
                raise ProviderUnavailable(f"{address} is larger than {_LARGEST_DOCUMENT // 1_024} KiB.")
    try:
        found = parse_json(content)
    except ValueError as error:
        raise ProviderUnavailable(f"{address} is not JSON.") from error
    if not isinstance(found, dict):
        raise ProviderUnavailable(f"{address} is no JSON object.")
    return found
