"""Show whose token the server uses."""

from pydantic import Field

from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import ToolOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


class WhoAmIOutput(ToolOutput):
    name: str
    type: str
    namespaces: list[str] = Field(description="Values for namespace in other tools.")
    default_namespace: str
    can_pay: bool | None = None
    backend: str


@tool(uses=operations.WHOAMI, toolset=Toolset.ACCOUNT, title="Show whose token is used")
async def whoami(call: Call) -> WhoAmIOutput:
    """Show whose token this server uses, the namespaces it may act for, and the backend."""
    caller = await call.endpoints.whoami()
    backend = call.endpoints.backend.name
    default = await call.endpoints.resolve_namespace()
    return WhoAmIOutput(
        name=clean_line(caller.name),
        type=clean_line(caller.type),
        namespaces=[clean_line(namespace) for namespace in caller.namespaces],
        default_namespace=default,
        can_pay=caller.can_pay,
        backend=backend,
        now=f"Without a namespace, tools act for {default} on {backend}.",
    )
