"""Run the MCP server over HTTP, for several hosts at once: `serve --http`."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.token import hugging_face_token
from inference_endpoints_mcp.cli.profiles import ProfilesError, read_profiles
from inference_endpoints_mcp.cli.replicas import join_replicas
from inference_endpoints_mcp.cli.server_options import build_options, files_of
from inference_endpoints_mcp.cli.settings.serve import ServeSettings
from inference_endpoints_mcp.cli.stdio import run_stdio
from inference_endpoints_mcp.policy.audit.audit_trail import AuditError
from inference_endpoints_mcp.policy.limits import LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecretsError
from inference_endpoints_mcp.replicas.sealing_keys import ReplicasError
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.backends.caller_tokens import hugging_face_of_callers
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.http.access import AccessRules, ServerExposure, UnprotectedServerError
from inference_endpoints_mcp.server.http.listening import ListenError, TcpAddress, UnixSocket
from inference_endpoints_mcp.server.http.sign_in.keys import KeyFileError
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings, ProviderSettingsError
from inference_endpoints_mcp.server.observability.telemetry import NoTelemetry, Telemetry
from inference_endpoints_mcp.server.transports import HttpOptions, serve_http

_HTTP_ERRORS = (UnprotectedServerError, ProfilesError, KeyFileError, ProviderSettingsError, ListenError)


def run_serve(settings: ServeSettings) -> int:
    if not settings.http:
        return run_stdio(settings)
    try:
        measuring = _telemetry(settings)
        files = ConfigurationFiles(lambda: _read(settings, measuring))
        return serve_http(files, _http_options(settings, files.current.groups))
    except (LimitsError, LentSecretsError, AuditError, ReplicasError, *_HTTP_ERRORS) as error:
        print(error, file=sys.stderr)
        return 2


def _read(settings: ServeSettings, measuring: Callable[[str], Telemetry]) -> ServedConfiguration:
    """All that is in files, of all profiles."""
    profiles = read_profiles(settings.profiles, settings) if settings.profiles else {}
    in_replicas = join_replicas(settings)
    options = in_replicas(replace(_options(settings), telemetry=measuring("")))
    servers = {
        name: in_replicas(replace(_options(profile.settings), profile=name, telemetry=measuring(name)))
        for name, profile in profiles.items()
    }
    own = [path for path in (settings.profiles, settings.sealing_keys) if path is not None]
    of_servers = [
        path for each in (settings, *(profile.settings for profile in profiles.values())) for path in files_of(each)
    ]
    groups = {group: name for name, profile in reversed(list(profiles.items())) for group in profile.groups}
    return ServedConfiguration(options, servers, groups, tuple(dict.fromkeys([*own, *of_servers])))


def _options(settings: ServeSettings) -> ServerOptions:
    """With the token of each caller, where they bring their own: the server itself then has none."""
    options = build_options(settings, http=True)
    if not settings.caller_tokens:
        return options
    of_callers = hugging_face_of_callers(settings.endpoint_hosts)

    async def open_backend(_: AsyncExitStack) -> Backend:
        return of_callers(None)

    return replace(options, open_backend=open_backend, reconnect=None, caller_backend=of_callers)


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


def _http_options(settings: ServeSettings, groups: Mapping[str, str]) -> HttpOptions:
    """Raises `UnprotectedServerError` if others could use the server without protection."""
    has_source = settings.token_file or settings.token_variable or settings.token_command
    of_operator = not (settings.local or settings.caller_tokens)
    uses_token = of_operator and bool(has_source or hugging_face_token() is not None)
    exposure = ServerExposure(
        address=None if settings.uds else settings.host,
        has_secrets=uses_token or bool(settings.lend or settings.lend_file),
        local_users_allowed=settings.allow_local_users,
    )
    return HttpOptions(
        listening=UnixSocket(settings.uds) if settings.uds else TcpAddress(settings.host, settings.port),
        access=AccessRules.from_settings(exposure, list(settings.allowed_hosts), has_key=settings.has_key),
        keys_file=settings.keys,
        api_key_file=settings.api_key_file,
        oauth=_oauth(settings, groups),
        trusted_proxies=settings.trusted_proxies,
        max_sessions=settings.max_sessions,
        max_connections=settings.max_connections,
        max_accounts=settings.max_accounts,
        grace_s=settings.grace,
        has_broker=settings.broker is not None,
        log_format=settings.log_format,
    )


def _oauth(settings: ServeSettings, groups: Mapping[str, str]) -> OAuthSettings | None:
    """Raises `ProviderSettingsError`."""
    if settings.oauth_issuer is None or settings.oauth_resource is None:
        return None
    return OAuthSettings(settings.oauth_issuer, settings.oauth_resource, groups, settings.oauth_groups_claim)
