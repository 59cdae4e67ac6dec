"""Show whose token the server uses, what it may do, and whether its account can pay."""

from pydantic import Field

from inference_endpoints.errors import ADD_PAYMENT_METHOD
from inference_endpoints.models import WhoAmI
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import ToolOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


class WhoAmIOutput(ToolOutput):
    name: Name
    type: Word
    namespaces: list[Name] = Field(description="Values for namespace in other tools.")
    default_namespace: Name
    can_pay: bool | None = Field(default=None, description="Whether default_namespace has a payment method.")
    role: Word | None = Field(default=None, description="Of the token.")
    permissions: dict[Name, list[Name]] | None = Field(
        default=None, description="For Inference Endpoints, by namespace; only of a fine-grained token."
    )
    backend: Word


@tool(uses=operations.WHOAMI, toolset=Toolset.ACCOUNT, title="Show whose token is used")
async def whoami(call: Call) -> WhoAmIOutput:
    """Show whose token this server uses, what it may do in which namespaces, and whether the account can pay."""
    caller = await call.endpoints.whoami()
    backend = call.endpoints.backend.name
    default = await call.endpoints.resolve_namespace()
    return WhoAmIOutput(
        name=clean_line(caller.name),
        type=clean_line(caller.type),
        namespaces=[clean_line(namespace) for namespace in caller.namespaces],
        default_namespace=default,
        can_pay=caller.can_pay_for(default),
        role=clean_line(caller.token_role) or None,
        permissions=_permissions(caller),
        backend=backend,
        now=f"Without a namespace, tools act for {default} on {backend}.{_obstacles(caller, default)}",
    )


def _permissions(caller: WhoAmI) -> dict[str, list[str]] | None:
    """The permissions by namespace, without those that have none. None for tokens that have a role instead."""
    granted = {namespace: caller.permissions(namespace) for namespace in caller.namespaces}
    if None in granted.values():
        return None
    return {clean_line(one): [clean_line(name) for name in names] for one, names in granted.items() if names}


def _obstacles(caller: WhoAmI, namespace: str) -> str:
    """What will be refused in a namespace, in sentences; empty if nothing is known to be."""
    missing = caller.missing_permissions(namespace)
    lacks = f" The token lacks {', '.join(missing)} for it." if missing else ""
    if caller.can_pay_for(namespace) is not False:
        return lacks
    return f"{lacks} It has no payment method: quotas read 0, and creating is refused. {ADD_PAYMENT_METHOD}"
