"""What changed in the operator's files is in force for the next request, whoever sends it."""

from collections.abc import Sequence

from mcp.server.auth.provider import TokenVerifier
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.configuration.profile_servers import ProfileServers
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import GroupProfiles
from inference_endpoints_mcp.server.mcp_server import EndpointsServer


class ReconfigurationMiddleware:
    """ASGI. It stands before the sign-in, so that a caller never meets half of a configuration."""

    def __init__(
        self,
        app: ASGIApp,
        files: ConfigurationFiles,
        server: EndpointsServer,
        profiles: ProfileServers | None,
        verifiers: Sequence[TokenVerifier],
    ) -> None:
        self._app = app
        self._files = files
        self._server = server
        self._profiles = profiles
        self._verifiers = verifiers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._files.read_again(self._server.audit, self._take)
        await self._app(scope, receive, send)

    def _take(self, new: ServedConfiguration) -> None:
        """Raises `AuditError` before it changes anything."""
        if self._profiles is not None:
            self._profiles.take(new.profiles)
        self._server.take(new.options)
        for verifier in self._verifiers:
            if isinstance(verifier, GroupProfiles):
                verifier.take_groups(new.groups)
