"""Bounds what a model returned to the size of an answer. The rest is kept as a resource, so that nothing is lost."""

from pydantic import BaseModel, Field

from inference_endpoints_mcp.privacy.answer_text import Fenced, Ours, Word
from inference_endpoints_mcp.privacy.token_bound import head_length
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.kept_outputs import LIFETIME_S, TEXT
from inference_endpoints_mcp.tools.outputs import MAX_MODEL_OUTPUT_TOKENS

MINUTES_KEPT = round(LIFETIME_S / 60)


class KeptRest(BaseModel):
    """What an answer has no room for."""

    what: Ours
    uri: Word = Field(description=f"A resource of this server, for {MINUTES_KEPT} minutes.")


def fence_output(
    call: CallContext, text: str, what: str = "the rest of the text", tokens: int = MAX_MODEL_OUTPUT_TOKENS
) -> tuple[Fenced, list[KeptRest]]:
    """The beginning of a model's text in a fence, and where the rest is read, if there is one."""
    prepared = call.fence.prepare(text)
    length = head_length(prepared, tokens)
    fenced = call.fence.wrap_head("model", prepared, length)
    if length >= len(prepared):
        return fenced, []
    uri = call.outputs.keep(call.caller, prepared, TEXT, what)
    return fenced, [KeptRest(what=what, uri=f"{uri}/{length}")] if uri else []


def keep_json(call: CallContext, text: str | None, what: str) -> list[KeptRest]:
    """Where the numbers are read of which the answer shows the first; nothing if it shows all."""
    uri = call.outputs.keep(call.caller, call.fence.prepare(text), "application/json", what) if text else None
    return [KeptRest(what=what, uri=uri)] if uri else []
