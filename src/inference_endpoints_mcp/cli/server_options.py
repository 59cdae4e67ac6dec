"""What a server needs of the operator's settings, however it is reached."""

from pathlib import Path
from typing import TYPE_CHECKING

from inference_endpoints.confined_files import ConfinedFolders
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.cli.settings.server import ServerSettings, absolute, merge_limits
from inference_endpoints_mcp.policy.audit.audit_trail import STANDARD_OUTPUT, AuditError
from inference_endpoints_mcp.policy.audit.collector import AuditCollector
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.server.application import MAX_SUBSCRIPTIONS, ServerOptions
from inference_endpoints_mcp.server.backends.hugging_face import HuggingFaceConnector
from inference_endpoints_mcp.server.backends.token_sources import (
    TokenSource,
    token_in_file,
    token_in_variable,
    token_of_command,
    token_of_this_machine,
)
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.tool_calls import find_unknown_tools
from inference_endpoints_mcp.tools.media_access import MediaAccess

if TYPE_CHECKING:
    from inference_endpoints_mcp.server.backends.local_plane import LocalPlaneConnector


_RESTART_SETTINGS = {
    *("namespace", "token_file", "token_variable", "token_command", "caller_tokens"),
    *("answer_within", "subscriptions"),
}
"""Of what a profile can set, what a server cannot take while it runs."""


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
        audit_collector=_collector(settings.audit_otlp) if settings.audit_otlp else None,
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
        restart_settings=settings.model_dump(include=_RESTART_SETTINGS),
    )


def _collector(url: str) -> AuditCollector:
    """Raises `AuditError` without the extra."""
    try:
        from inference_endpoints_mcp.server.observability.otlp_logs import otlp_logs
    except ImportError as error:
        raise AuditError("--audit-otlp needs the extra otel: pip install inference-endpoints-mcp[otel]") from error
    return otlp_logs(url)


def configuration_of(settings: ServerSettings, *, http: bool = False) -> ConfigurationFiles:
    """What a server without profiles serves. Raises `LimitsError`, `LentSecretsError` and `AuditError`."""
    return ConfigurationFiles(lambda: ServedConfiguration(build_options(settings, http=http), files=files_of(settings)))


def files_of(settings: ServerSettings) -> tuple[Path, ...]:
    """The files of these settings that are read again when they change. A token has a source of its own."""
    return tuple(path for path in (settings.policy, settings.lend_file) if path is not None)


def resolve_limits(settings: ServerSettings) -> Limits:
    """Raises `LimitsError`, also for a tool or toolset that does not exist."""
    limits = merge_limits(settings)
    for setting, unknown in find_unknown_tools(limits).items():
        raise LimitsError(f"These {setting} do not exist: {', '.join(sorted(unknown))}.")
    return limits


def build_connector(settings: ServerSettings) -> "HuggingFaceConnector | LocalPlaneConnector":
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


def build_local_connector(settings: ServerSettings) -> "LocalPlaneConnector":
    from inference_endpoints_local.daemon.connect import StartOptions
    from inference_endpoints_mcp.server.backends.local_plane import LocalPlaneConnector

    start = StartOptions(
        namespace=settings.namespace,
        simulated=settings.simulated,
        simulated_speed=settings.simulated_speed,
        model_folders=absolute(merge_limits(settings).model_folders),
        ray=settings.ray,
    )
    return LocalPlaneConnector(settings.folder, start)
