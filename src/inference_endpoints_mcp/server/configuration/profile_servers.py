"""A server for each profile, as the configuration has them now."""

from collections.abc import Callable, Mapping
from typing import Protocol

from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

DEFAULT_PROFILE = "default"
"""The profile of a caller who has none. Without it such a caller is refused."""


class Servers(Protocol):
    """The servers that are current, by profile."""

    @property
    def current(self) -> Mapping[str, EndpointsServer]: ...


class SingleServer:
    """A server without profiles: one for all."""

    def __init__(self, server: EndpointsServer) -> None:
        self.current = {DEFAULT_PROFILE: server}


class ProfileServers:
    """`create` makes the server of a profile. Raises `AuditError`."""

    def __init__(
        self, profiles: Mapping[str, ServerOptions], create: Callable[[ServerOptions], EndpointsServer]
    ) -> None:
        self._create = create
        self.current: Mapping[str, EndpointsServer] = {name: create(each) for name, each in profiles.items()}

    def take(self, profiles: Mapping[str, ServerOptions]) -> None:
        """Add and remove profiles, and let the others have their new options: where a server cannot take them while it
        runs, a new one has them. All are made before anything changes. Raises `AuditError`.
        """
        kept = {
            name: server
            for name, server in self.current.items()
            if name in profiles and not server.options.needs_new_server(profiles[name])
        }
        servers = {name: kept[name] if name in kept else self._create(each) for name, each in profiles.items()}
        for name, server in kept.items():
            server.take(profiles[name])
        self.current = servers
