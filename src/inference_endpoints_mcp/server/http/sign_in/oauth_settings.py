"""Where callers sign in, and what for: this server is a resource server of OAuth 2.1 (RFC 9728, RFC 8707)."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from inference_endpoints_mcp.server.scopes import MANAGE, READ

WELL_KNOWN = "/.well-known/oauth-protected-resource"
"""Where clients look for the metadata that know only the host of this server."""


@runtime_checkable
class GroupProfiles(Protocol):
    """Knows which groups have which profile."""

    def take_groups(self, groups: Mapping[str, str]) -> None: ...


class ProviderUnavailable(Exception):
    """The identity provider cannot be reached, or does not answer as one. The message is for the operator's log."""


class ProviderSettingsError(ValueError):
    """The address of the identity provider or of this server cannot be used."""


@dataclass(frozen=True)
class OAuthSettings:
    """`issuer` is the provider, as it names itself; `resource` is this server's address, as callers know it.

    `groups` are the profiles of the groups that a token can name in `groups_claim`, in the order in which they count.
    """

    issuer: str
    resource: str
    groups: Mapping[str, str] = field(default_factory=dict)
    groups_claim: str = "groups"

    def __post_init__(self) -> None:
        """Raises `ProviderSettingsError`."""
        for flag, url in (("--oauth-issuer", self.issuer), ("--oauth-resource", self.resource)):
            if not is_safe(url):
                raise ProviderSettingsError(f"{flag} must be an https address, or http on this machine.")

    def profile_of(self, claims: Mapping[str, Any]) -> str | None:
        """The profile of the first group that a token names; None if it names none that has one."""
        named = claims.get(self.groups_claim)
        named = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        return next((profile for group, profile in self.groups.items() if group in named), None)

    @property
    def metadata_path(self) -> str:
        """Where a client finds where to sign in."""
        return WELL_KNOWN + urlsplit(self.resource).path.rstrip("/")

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": [READ, MANAGE],
            "bearer_methods_supported": ["header"],
            "resource_name": "Inference Endpoints",
        }

    def challenge(self, scope: str, error: str | None = None) -> dict[str, str]:
        """The header that asks a client to sign in for a scope."""
        parts = urlsplit(self.resource)
        fields = {"error": error} if error else {}
        fields |= {"scope": scope, "resource_metadata": f"{parts.scheme}://{parts.netloc}{self.metadata_path}"}
        return {"WWW-Authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in fields.items())}


def is_safe(url: str) -> bool:
    """https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.username or parts.query or parts.fragment or not host:
            return False
        if parts.scheme == "https":
            return True
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False
