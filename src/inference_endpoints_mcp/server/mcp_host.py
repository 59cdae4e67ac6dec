"""What the server knows of the host behind a request: its name and version, and whether it wants progress."""

from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.session import ServerSession


def host_name(session: ServerSession) -> str | None:
    """The name that the host gave itself."""
    params = session.client_params
    return params.client_info.name if params else None


def host_version(session: ServerSession) -> str:
    params = session.client_params
    return params.client_info.version if params else ""


def wants_progress(context: Context[Any, Any]) -> bool:
    """Whether the host sent a progress token. A token may be 0."""
    meta = context.request_context.meta
    return bool(meta) and (meta or {}).get("progress_token") is not None
