"""Bounds what a model returned to the size of an answer. The rest is kept as a resource, so that nothing is lost."""

from pydantic import BaseModel, Field

from inference_endpoints_mcp.privacy.answer_text import Fenced, Ours, Word
from inference_endpoints_mcp.privacy.token_bound import head_length
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.inference.shown_output import ShownOutput
from inference_endpoints_mcp.tools.kept_outputs import MINUTES_KEPT, TEXT
from inference_endpoints_mcp.tools.outputs import MAX_MODEL_OUTPUT_TOKENS

JSON = "application/json"


class KeptRemainder(BaseModel):
    """What an answer has no room for."""

    what: Ours
    path: Ours | None = Field(default=None, description="Where it was written.")
    uri: Word = Field(description=f"A resource of this server, for {MINUTES_KEPT} minutes.")


def fence_output(
    call: CallContext, text: str, what: str = "the rest of the text", tokens: int = MAX_MODEL_OUTPUT_TOKENS
) -> tuple[Fenced, list[KeptRemainder]]:
    """The beginning of a model's text in a fence, and where the rest is read, if there is one."""
    prepared = call.fence.prepare(text)
    length = head_length(prepared, tokens)
    fenced = call.fence.wrap_head("model", prepared, length)
    if length >= len(prepared):
        return fenced, []
    uri = call.outputs.keep(call.caller, prepared, TEXT, what)
    return fenced, [KeptRemainder(what=what, uri=f"{uri}/{length}")] if uri else []


def keep_whole(call: CallContext, shown: ShownOutput, endpoint_name: str) -> list[KeptRemainder]:
    """Where all of an output is read of which the answer shows a part; nothing if it shows all.

    Vectors are a file, as no model can read their numbers; other JSON is text, page by page.
    """
    if shown.whole is None:
        return []
    what = "all of it as JSON"
    if shown.vectors is None:
        uri, path = call.outputs.keep(call.caller, call.fence.prepare(shown.whole), TEXT, what), None
    else:
        content = shown.whole.encode()
        path = call.media.write(f"{endpoint_name}.json", content)
        uri = call.outputs.keep(call.caller, content, JSON, what)
    return [KeptRemainder(what=what, uri=uri, path=str(path) if path else None)] if uri else []
