"""Run the MCP server with the operator's settings: over stdio, or with `serve --http`."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from inference_endpoints.confined_files import ConfinedFolders
from inference_endpoints.transport.token import hugging_face_token
from inference_endpoints_local.daemon.connect import StartOptions
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.cli.profiles import Profile, ProfilesError, read_profiles
from inference_endpoints_mcp.cli.settings.serve import ServeSettings
from inference_endpoints_mcp.cli.settings.server import ServerSettings, absolute, merge_limits
from inference_endpoints_mcp.policy.audit.audit_trail import STANDARD_OUTPUT, AuditError
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets, LentSecretsError
from inference_endpoints_mcp.server.application import MAX_SUBSCRIPTIONS, ServerOptions
from inference_endpoints_mcp.server.backends.backend_connectors import HuggingFaceConnector, LocalPlaneConnector
from inference_endpoints_mcp.server.backends.token_sources import (
    TokenSource,
    token_in_file,
    token_in_variable,
    token_of_command,
    token_of_this_machine,
)
from inference_endpoints_mcp.server.http.access import AccessRules, Exposure, UnprotectedServerError
from inference_endpoints_mcp.server.http.listening import ListenError, TcpAddress, UnixSocket
from inference_endpoints_mcp.server.http.sign_in.keys import KeyFileError
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings, ProviderSettingsError
from inference_endpoints_mcp.server.telemetry import NoTelemetry, Telemetry
from inference_endpoints_mcp.server.tool_calls import find_unknown_tools
from inference_endpoints_mcp.server.transports import HttpOptions, serve_http, serve_stdio
from inference_endpoints_mcp.tools.media_access import MediaAccess

_HTTP_ERRORS = (UnprotectedServerError, ProfilesError, KeyFileError, ProviderSettingsError, ListenError)


def run_stdio(settings: ServerSettings) -> int:
    try:
        return serve_stdio(build_options(settings))
    except (LimitsError, LentSecretsError, AuditError) as error:
        print(error, file=sys.stderr)
        return 2


def run_serve(settings: ServeSettings) -> int:
    if not settings.http:
        return run_stdio(settings)
    try:
        profiles = read_profiles(settings.profiles, settings) if settings.profiles else {}
        measuring = _telemetry(settings)
        options = replace(build_options(settings, http=True), telemetry=measuring(""))
        servers = {
            name: replace(build_options(profile.settings, http=True), profile=name, telemetry=measuring(name))
            for name, profile in profiles.items()
        }
        return serve_http(options, _http_options(settings, profiles), profiles=servers)
    except (LimitsError, LentSecretsError, AuditError, *_HTTP_ERRORS) as error:
        print(error, file=sys.stderr)
        return 2


def _telemetry(settings: ServeSettings) -> Callable[[str], Telemetry]:
    """What measures a profile. Raises `ListenError` if the address of the metrics cannot be used."""
    if settings.metrics is None:
        return lambda profile: NoTelemetry()
    try:
        from inference_endpoints_mcp.server.http.prometheus import PrometheusMetrics, PrometheusTelemetry
    except ImportError as error:
        raise ListenError("--metrics needs the extra metrics: pip install inference-endpoints-mcp[metrics]") from error
    metrics = PrometheusMetrics()
    host, _, port = settings.metrics.rpartition(":")
    try:
        address = f"http://{host}:{metrics.serve(host.strip('[]'), int(port))}/metrics"
    except OSError as error:
        raise ListenError(f"Cannot serve metrics at {settings.metrics}: {error.strerror or error}.") from error
    print(f"Metrics at {address}", file=sys.stderr, flush=True)
    return lambda profile: PrometheusTelemetry(metrics, profile)


def _http_options(settings: ServeSettings, profiles: Mapping[str, Profile]) -> HttpOptions:
    """Raises `UnprotectedServerError` if others could use the server without protection."""
    has_source = settings.token_file or settings.token_variable or settings.token_command
    uses_token = not settings.local and bool(has_source or hugging_face_token() is not None)
    exposure = Exposure(
        address=None if settings.uds else settings.host,
        has_secrets=uses_token or bool(settings.lend or settings.lend_file),
        local_users_allowed=settings.allow_local_users,
    )
    return HttpOptions(
        listening=UnixSocket(settings.uds) if settings.uds else TcpAddress(settings.host, settings.port),
        access=AccessRules.from_settings(exposure, list(settings.allowed_hosts), has_key=settings.has_key),
        keys_file=settings.keys,
        api_key_file=settings.api_key_file,
        oauth=_oauth(settings, profiles),
        trusted_proxies=settings.trusted_proxies,
        max_sessions=settings.max_sessions,
        max_connections=settings.max_connections,
        grace_s=settings.grace,
    )


def _oauth(settings: ServeSettings, profiles: Mapping[str, Profile]) -> OAuthSettings | None:
    """Raises `ProviderSettingsError`."""
    if settings.oauth_issuer is None or settings.oauth_resource is None:
        return None
    groups = {group: name for name, profile in reversed(list(profiles.items())) for group in profile.groups}
    return OAuthSettings(settings.oauth_issuer, settings.oauth_resource, groups, settings.oauth_groups_claim)


def build_options(settings: ServerSettings, *, http: bool = False) -> ServerOptions:
    """The options of a server. Raises `LimitsError`, `LentSecretsError` and `AuditError`.

    Over HTTP subscriptions are off by default, since anyone could make the server poll.
    """
    if settings.audit_file == STANDARD_OUTPUT and not http:
        raise AuditError("Over stdio, standard output carries the protocol: name a file with --audit-file.")
    connector = build_connector(settings)
    default_subscriptions = 0 if http else MAX_SUBSCRIPTIONS
    return ServerOptions(
        open_backend=connector.open,
        reconnect=connector.reconnect,
        namespace=settings.namespace,
        limits=resolve_limits(settings),
        audit_file=settings.audit_file,
        data_folder=settings.folder,
        approval=ApprovalPolicy(
            method=ApprovalMethod(settings.confirm),
            effects=frozenset(settings.confirm_effects),
            min_price_per_hour=settings.confirm_above,
            include_simulated=settings.confirm_simulated,
            answer_timeout_s=settings.answer_within,
        ),
        lent=LentSecrets.load(settings.lend, settings.lend_file),
        media=MediaAccess(
            ConfinedFolders.of(settings.media_folders) if settings.media_folders else None,
            settings.output_folder,
            settings.media_hosts,
        ),
        host_timeout_s=settings.hold,
        max_calls=settings.max_calls,
        max_waits=settings.max_waits,
        max_subscriptions=default_subscriptions if settings.subscriptions is None else settings.subscriptions,
    )


def resolve_limits(settings: ServerSettings) -> Limits:
    """Raises `LimitsError`, also for a tool or toolset that does not exist."""
    limits = merge_limits(settings)
    for setting, unknown in find_unknown_tools(limits).items():
        raise LimitsError(f"These {setting} do not exist: {', '.join(sorted(unknown))}.")
    return limits


def build_connector(settings: ServerSettings) -> HuggingFaceConnector | LocalPlaneConnector:
    if settings.local:
        return build_local_connector(settings)
    source: TokenSource = token_of_this_machine
    if settings.token_file:
        source = token_in_file(settings.token_file)
    elif settings.token_variable:
        source = token_in_variable(settings.token_variable)
    elif settings.token_command:
        source = token_of_command(settings.token_command)
    return HuggingFaceConnector(source, settings.endpoint_hosts)


def build_local_connector(settings: ServerSettings) -> LocalPlaneConnector:
    start = StartOptions(
        namespace=settings.namespace,
        simulated=settings.simulated,
        simulated_speed=settings.simulated_speed,
        model_folders=absolute(merge_limits(settings).model_folders),
    )
    return LocalPlaneConnector(settings.folder, start)
