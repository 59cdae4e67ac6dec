"""A call of an endpoint that takes longer than its host waits goes on, and the call under `next` gets its answer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from pydantic import Field

from inference_endpoints.errors import InferenceEndpointTimeoutError, NotFound
from inference_endpoints.models import format_duration
from inference_endpoints_mcp.tools.call_context import CallContext, Progress
from inference_endpoints_mcp.tools.outputs import ToolOutput, next_call
from inference_endpoints_mcp.tools.running_calls import RunningCall

CallId = Annotated[str, Field(max_length=20, description="Call id, from `next`.")]

Output = TypeVar("Output", bound=ToolOutput)


async def hold_call(
    call: CallContext,
    key: tuple[str, str, str],
    request_key: object,
    work: Callable[[Progress], Coroutine[Any, Any, Output]],
    output: Callable[..., Output],
) -> Output:
    """Do the work. Returns its output; where the host's time is up before, one that is not finished.

    `key`: the tool, the namespace and the name of the endpoint. `request_key`: equal for repetitions of the
    call, as JSON. A repetition gets the answer of a call that still goes on. `output` makes an output of this tool.
    """
    running = call.running_calls.find_same(call.caller, request_key)
    return await _hold(
        call, running or RunningCall(call.caller, key, request_key, work, output), request_key, receipt=None
    )


async def continue_call(call: CallContext, tool: str, endpoint_name: str, call_id: str, kind: type[Output]) -> Output:
    """The output of a call that went on. Raises `NotFound` if it is not known."""
    running = call.running_calls.find(call.caller, call_id.partition(".")[0])
    name = endpoint_name.rpartition("/")[2]
    if running is not None and (running.key[0], running.key[-1]) == (tool, name):
        output = await _hold(call, running, ["goes on", call_id], ["goes on", call_id])
        assert isinstance(output, kind)
        return output
    with call.hold.holding(request_key=["goes on", call_id], receipt=["goes on", call_id]):
        raise NotFound("This call does not go on here.", hint="Make the whole call again, without call_id.")


async def _hold(call: CallContext, running: RunningCall[Output], request_key: object, receipt: object) -> Output:
    with call.hold.holding(request_key=request_key, receipt=receipt):
        async with call.report_progress() as progress:
            running.report_to(progress)
            try:
                await asyncio.wait({running.task}, timeout=call.hold.remaining_s)
            except asyncio.CancelledError:
                # A host that knows the call's id may have given up this request only, and come back.
                if not running.unfinished_answers:
                    call.running_calls.end(running)
                raise
    if running.task.done():
        # A host that knows the call's id can get it again: this answer may be lost too.
        running.is_delivered = True
        return running.task.result()
    return _unfinished(call, running, request_key)


def _unfinished(call: CallContext, running: RunningCall[Output], request_key: object) -> Output:
    if not call.running_calls.keep(running):
        call.running_calls.end(running)
        raise InferenceEndpointTimeoutError(
            "The host's time limit for one call is reached, and too many calls go on already: this one was ended.",
            hint="Take the answers of the others first: their call_id gets them.",
        )
    # A new id each time: its use shows that this answer has arrived.
    running.unfinished_answers += 1
    call_id = f"{running.id}.{running.unfinished_answers}"
    call.hold.cut_short(request_key=request_key, receipt=["goes on", call_id])
    now = f"No answer yet after {format_duration(running.elapsed_s)}; it goes on. The host's time limit for one call "
    now += "is reached: make the call under `next` to get the answer."
    tool, namespace, name = running.key
    following = next_call(tool, namespace, name, call_id=call_id)
    return running.output(finished=False, seconds=round(running.elapsed_s, 3), now=now, next=[following])
