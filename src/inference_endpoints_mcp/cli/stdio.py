"""Run the MCP server over stdio."""

import sys

from inference_endpoints_mcp.cli.server_options import build_options, files_of
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.policy.audit.audit_trail import AuditError
from inference_endpoints_mcp.policy.limits import LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecretsError
from inference_endpoints_mcp.server.configuration import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.transports import serve_stdio


def run_stdio(settings: ServerSettings) -> int:
    try:
        return serve_stdio(ConfigurationFiles(lambda: _read(settings)))
    except (LimitsError, LentSecretsError, AuditError) as error:
        print(error, file=sys.stderr)
        return 2


def _read(settings: ServerSettings) -> ServedConfiguration:
    return ServedConfiguration(build_options(settings), files=files_of(settings))
