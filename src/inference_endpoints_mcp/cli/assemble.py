"""The MCP server, put together from the operator's settings: over stdio, or `serve --http`."""

import sys

from inference_endpoints.transport.operations import Effect
from inference_endpoints_local.daemon.connect import StartOptions
from inference_endpoints_mcp.approval.confirmation import Confirm
from inference_endpoints_mcp.cli.settings import ServerSettings, ServeSettings, hugging_face_token, limits_of
from inference_endpoints_mcp.policy.audit_trail import AuditError
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LendError, Lent
from inference_endpoints_mcp.server.application import MAX_SUBSCRIPTIONS, ServerOptions
from inference_endpoints_mcp.server.backends import HuggingFaceBackend, LocalBackend
from inference_endpoints_mcp.server.http.access import AccessRules, UnprotectedServerError
from inference_endpoints_mcp.server.http.header_limits import find_unknown_tools
from inference_endpoints_mcp.server.transports import HttpOptions, ListenError, serve_http, serve_stdio


def run(settings: ServerSettings) -> int:
    try:
        return serve_stdio(options_of(settings))
    except (LimitsError, LendError, AuditError) as error:
        print(error, file=sys.stderr)
        return 2


def run_serve(settings: ServeSettings) -> int:
    if not settings.http:
        return run(settings)
    hosts = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]
    try:
        access = AccessRules.from_settings(settings.host, hosts, settings.api_key_file)
        return serve_http(options_of(settings, http=True), HttpOptions(settings.host, settings.port, access))
    except (LimitsError, LendError, AuditError, UnprotectedServerError, ListenError) as error:
        print(error, file=sys.stderr)
        return 2


def options_of(settings: ServerSettings, *, http: bool = False) -> ServerOptions:
    """What the settings mean for a server. One that many reach looks at nothing on its own, unless told to."""
    plane = local_plane(settings) if settings.local else None
    subscriptions = settings.subscriptions
    return ServerOptions(
        open_backend=plane.open if plane else HuggingFaceBackend(hugging_face_token(), settings.endpoint_hosts).open,
        reconnect=plane.reconnect if plane else None,
        namespace=settings.namespace,
        limits=checked_limits(settings),
        audit_file=settings.audit_file,
        confirm=Confirm(settings.confirm),
        confirm_effects=frozenset(map(Effect, settings.confirm_effects)),
        confirm_above=settings.confirm_above,
        confirm_simulated=settings.confirm_simulated,
        answer_within=settings.answer_within,
        lent=Lent.of(settings.lend, settings.lend_file),
        host_timeout_s=settings.hold,
        max_calls=settings.max_calls,
        max_waits=settings.max_waits,
        max_subscriptions=subscriptions if subscriptions is not None else 0 if http else MAX_SUBSCRIPTIONS,
    )


def checked_limits(settings: ServerSettings) -> Limits:
    """Raises `LimitsError` also where a tool or toolset is named that there is not."""
    limits = limits_of(settings)
    for rule, unknown in find_unknown_tools(limits).items():
        raise LimitsError(f"There are no {rule} called {', '.join(sorted(unknown))}.")
    return limits


def local_plane(settings: ServerSettings) -> LocalBackend:
    start = StartOptions(
        namespace=settings.namespace,
        simulated=settings.simulated,
        simulated_speed=settings.simulated_speed,
    )
    return LocalBackend(settings.folder, start)
