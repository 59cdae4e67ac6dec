"""Run a server over stdio for one host, or over streamable HTTP for many."""

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles
from inference_endpoints_mcp.server.configuration.profile_servers import ProfileServers, SingleServer
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.observability.json_log import LogFormat
from inference_endpoints_mcp.server.observability.stderr_log import log_to_stderr

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.auth.provider import TokenVerifier
    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from inference_endpoints_mcp.server.http.access import AccessRules
    from inference_endpoints_mcp.server.http.listening import Listening
    from inference_endpoints_mcp.server.http.page import OneTimeLinks
    from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpOptions:
    """Where to listen, and who may call.

    `keys_file` has the keys of named callers, `api_key_file` one that they share, `oauth` names an identity provider.
    Without any of them nobody signs in.
    With `links`, the page of the app is served as well, to whoever opens one of them.
    `trusted_proxies` are addresses and networks whose `X-Forwarded-For` names the caller; from others it is ignored.
    `max_sessions` limits the sessions of one caller in the older protocol, `max_connections` the connections of all,
    `max_accounts` the pairs of a caller and a token of its own. After `account_idle_s` seconds without a request such a
    pair is forgotten: its sessions and kept outputs have ended by then.
    With `has_broker`, probes learn whether it answers.
    `grace_s` are the seconds that running calls have to end after SIGTERM.
    """

    listening: "Listening"
    access: "AccessRules"
    keys_file: Path | None = None
    api_key_file: Path | None = None
    oauth: "OAuthSettings | None" = None
    trusted_proxies: tuple[str, ...] = ()
    max_sessions: int = 64
    max_connections: int = 2_000
    max_accounts: int = 128
    account_idle_s: float = 30 * 60.0
    grace_s: int = 2
    links: "OneTimeLinks | None" = None
    has_broker: bool = False
    log_format: LogFormat = "text"


def serve_stdio(files: ConfigurationFiles) -> int:
    """Serve until the host closes our stdin. Returns the exit code."""
    redactor = Redactor()
    log_to_stderr(redactor)
    # The default action ends the process at once. A handler could not: a thread is reading stdin, and only the host can
    # end that read.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = EndpointsServer(files.current.options, redactor)
    server.before_request = lambda: files.read_again(server.audit, lambda new: server.take(new.options))
    try:
        anyio.run(server.run_stdio_async)
    except* (BrokenPipeError, ConnectionResetError):
        log.warning("the host closed our stdout")
    return 0


def serve_http(
    files: ConfigurationFiles,
    http: HttpOptions,
    create_server: Callable[[ServerOptions, Redactor], EndpointsServer] = EndpointsServer,
) -> int:
    """Serve `/mcp` until SIGTERM or SIGINT. Returns the exit code; raises `ListenError` and `KeyFileError`.

    With profiles, each caller has the settings of its own, and the options of the process are those of its audit trail.
    """

    from inference_endpoints.garbage_collection import make_full_collections_rare

    def announce(address: str) -> None:
        sys.stderr.write(f"Serving {address}\n")
        sys.stderr.flush()

    _import_everything()
    make_full_collections_rare()
    redactor = Redactor()
    log_redactor = Redactor(parent=redactor)
    log_to_stderr(log_redactor, http.log_format)

    def create(options: ServerOptions) -> EndpointsServer:
        return create_server(options, redactor)

    profiles = ProfileServers(files.current.profiles, create)
    return run_until_stopped(create(files.current.options), http, announce, profiles, files, log_redactor)


def _import_everything() -> None:
    """Before the first caller: a server that is out of descriptors later cannot open a module."""
    from inference_endpoints.transport.http import load_connections
    from inference_endpoints_mcp.server import clients as clients
    from inference_endpoints_mcp.server.tool_calls import app_tool_specs, published_names, tool_specs
    from inference_endpoints_mcp.tools import schema as schema

    load_connections()
    tool_specs()
    app_tool_specs()
    published_names()
    Redactor(["the secret of nobody"]).text("a text without secrets")


def run_until_stopped(
    server: EndpointsServer,
    http: HttpOptions,
    announce: Callable[[str], None],
    profiles: ProfileServers | None = None,
    files: ConfigurationFiles | None = None,
    log_redactor: Redactor | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; `announce` gets the address of `/mcp`. Returns the exit code.

    Raises `ListenError` and `KeyFileError`.
    """
    from inference_endpoints_mcp.server.http.graceful_server import GracefulServer

    config, end_waits = build_http_config(server, http, profiles, files, log_redactor)
    with http.listening.listen() as (listener, address):
        announce(address)
        with contextlib.suppress(KeyboardInterrupt):
            GracefulServer(config, end_waits, server.audit.close).run(sockets=[listener])
    return 0


def build_http_config(
    server: EndpointsServer,
    http: HttpOptions,
    profiles: ProfileServers | None = None,
    files: ConfigurationFiles | None = None,
    log_redactor: Redactor | None = None,
) -> "tuple[uvicorn.Config, Callable[[], None]]":
    """The application behind its checks, with the deadlines of its connections, and what ends its waits and streams.
    Raises `KeyFileError`.

    With `profiles`, whose callers must sign in, `server` only keeps the audit trail of what belongs to none of them.
    With `files`, a request finds what they hold by then. `log_redactor` masks what must not be in the log. With tokens
    of callers, each is added to it.
    """
    import uvicorn

    from inference_endpoints_mcp.server.holding.departures import NoteDepartures
    from inference_endpoints_mcp.server.http.access import AccessMiddleware
    from inference_endpoints_mcp.server.http.connections import KEEP_ALIVE_S, OpenConnections, connections_possible
    from inference_endpoints_mcp.server.http.event_streams import EventStreams
    from inference_endpoints_mcp.server.http.routing.accounts import Accounts
    from inference_endpoints_mcp.server.http.routing.server_router import ServerRouter
    from inference_endpoints_mcp.server.http.routing.token_header import CallerTokensMiddleware
    from inference_endpoints_mcp.server.http.session_limits import SessionLimits
    from inference_endpoints_mcp.server.http.sign_in.authentication import AuthenticationMiddleware

    if not (profiles and profiles.current):
        profiles = None
    servers = profiles or SingleServer(server)
    accounts = Accounts(http.max_accounts, http.account_idle_s, log_redactor or Redactor())
    router = ServerRouter(servers, accounts, _mcp_app)
    streams = EventStreams(router)
    limited = SessionLimits(NoteDepartures(streams), http.max_sessions)
    verifiers = _verifiers(server, http, profiles)
    assert verifiers or not profiles, "callers without a sign-in have no profile"
    whole: ASGIApp = CallerTokensMiddleware(limited, servers, accounts)
    if http.oauth is not None:
        from inference_endpoints_mcp.server.http.sign_in.step_up import StepUpMiddleware

        whole = StepUpMiddleware(whole, http.oauth)
    if verifiers:
        whole = AuthenticationMiddleware(whole, verifiers, http.oauth)
    if http.links is not None:
        from inference_endpoints_mcp.server.http.page import PageRoutes

        whole = PageRoutes(whole, http.links)
    from inference_endpoints_mcp.server.http.health import HealthRoutes

    async def is_ready() -> bool:
        return all([await each.is_ready() for each in servers.current.values()])

    if files is not None:
        from inference_endpoints_mcp.server.http.reconfiguration import ReconfigurationMiddleware

        whole = ReconfigurationMiddleware(whole, files, server, profiles, verifiers)
    connections = OpenConnections(connections_possible(http.max_connections))
    config = uvicorn.Config(
        # Probes come to an address of their own choice, which no list of host names has.
        HealthRoutes(AccessMiddleware(whole, http.access), is_ready, server.shares if http.has_broker else None),
        http=connections.protocol(),
        backlog=connections.accepted_at_once,
        timeout_keep_alive=KEEP_ALIVE_S,
        ws="none",
        # uvicorn's default believes X-Forwarded-For of everybody on this machine.
        proxy_headers=bool(http.trusted_proxies),
        forwarded_allow_ips=list(http.trusted_proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=http.grace_s,
    )

    def end_what_waits() -> None:
        router.end_waits()
        streams.end()

    return config, end_what_waits


def _mcp_app(server: EndpointsServer) -> "Starlette":
    from mcp.server.transport_security import TransportSecuritySettings

    from inference_endpoints_mcp.server.http.session_limits import MCP_PATH, SESSION_IDLE_S

    # Responses stay streams (no json_response): otherwise progress and cancelling are lost for a modern host.
    # AccessMiddleware checks Host and Origin on every route; the SDK's own check covers only one.
    return server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        session_idle_timeout=SESSION_IDLE_S,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


def _verifiers(server: EndpointsServer, http: HttpOptions, profiles: ProfileServers | None) -> "list[TokenVerifier]":
    from inference_endpoints_mcp.server.http.sign_in.keys import NamedKeys, SharedKey, SharedKeyFile

    def report(event: str, names: Sequence[str]) -> None:
        log.warning("%s %s", event, " ".join(names))
        server.audit.write("keys", outcome=event, changed=names or None)

    verifiers: list[TokenVerifier] = []
    if http.links is not None:
        verifiers.append(SharedKey(http.links.key))
    if http.api_key_file:
        verifiers.append(SharedKeyFile(http.api_key_file, report))
    if http.keys_file:
        verifiers.append(NamedKeys(http.keys_file, report, lambda: profiles.current if profiles else ()))
    if http.oauth is not None:
        from inference_endpoints_mcp.server.http.sign_in.oauth import OAuthTokens

        verifiers.append(OAuthTokens(http.oauth))
    return verifiers
