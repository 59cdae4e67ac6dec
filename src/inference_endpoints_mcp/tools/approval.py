"""Has a person approve a deletion, through the host, in both protocol eras."""

from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve

from inference_endpoints.errors import NotFound
from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.guard.confirm import Approval, Confirm, TypedName, cannot_ask, deletion_question
from inference_endpoints_mcp.tools.ports import Call

_MODERN = "2026-07-28"


async def _subject(call: Call, endpoint_name: str, namespace: str) -> tuple[str, Endpoint | None]:
    """The endpoint to be deleted, if there is one. Looked at again in every round."""
    namespace, name = await call.target(endpoint_name, namespace)
    try:
        return namespace, await call.endpoints.get(name, namespace)
    except NotFound:
        return namespace, None


Subject = Annotated[tuple[str, Endpoint | None], Resolve(_subject)]


async def _ask(
    call: Call, context: Context[Any, Any], subject: Subject, dry_run: bool
) -> TypedName | Elicit[TypedName]:
    namespace, endpoint = subject
    if endpoint is None or dry_run or call.confirm is Confirm.OFF:
        return TypedName(name=endpoint.name if endpoint else "")
    if not _can_ask(context):
        raise cannot_ask()
    question = call.redactor.text(deletion_question(endpoint, namespace))
    if context.protocol_version == _MODERN:
        return Elicit(question, TypedName)
    # Older hosts are asked in the middle of the call, and some that say they can ask show nothing and never answer.
    with anyio.move_on_after(call.answer_within_s):
        answer = await context.elicit(question, TypedName)
        if isinstance(answer, AcceptedElicitation):
            return answer.data
    return TypedName(name="")


async def _approval(subject: Subject, answer: Annotated[ElicitationResult[TypedName], Resolve(_ask)]) -> Approval:
    _, endpoint = subject
    typed = answer.data.name.strip() if isinstance(answer, AcceptedElicitation) else None
    return Approval(
        given=endpoint is not None and typed == endpoint.name, identity=endpoint.identity if endpoint else ""
    )


DeletionApproval = Annotated[Approval, Resolve(_approval)]


def _can_ask(context: Context[Any, Any]) -> bool:
    """Whether this host declared that it can show a form, and this connection can carry the question."""
    capabilities = context.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    return context.protocol_version == _MODERN or bool(context.session.can_send_request)
