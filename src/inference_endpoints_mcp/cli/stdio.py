"""Run the MCP server over stdio."""

import sys

from inference_endpoints_mcp.cli.server_options import configuration_of
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.policy.audit.audit_trail import AuditError
from inference_endpoints_mcp.policy.limits import LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecretsError
from inference_endpoints_mcp.server.transports import serve_stdio


def run_stdio(settings: ServerSettings) -> int:
    try:
        return serve_stdio(configuration_of(settings))
    except (LimitsError, LentSecretsError, AuditError) as error:
        print(error, file=sys.stderr)
        return 2
