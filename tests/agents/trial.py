"""One job done by one model: the model calls tools through a host, until it answers or has made too many calls."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mcp import MCPError
from mcp.types import ElicitResult, Tool
from tests.agents.chat_model import Message, Turn
from tests.agents.jobs import Job
from tests.support.hosts.host import Host, serving, text_of
from tests.support.planes import plane
from tests.support.planes.plane_driver import TOKEN, Driver, tiny_programs

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_local.daemon.plane import PlaneOptions
from inference_endpoints_mcp.server.application import ServerOptions

MOST_CALLS = 15
SYSTEM = (
    "You manage Hugging Face Inference Endpoints with the given tools. Do what the user asks and nothing else. "
    "Follow `next` of an answer where it helps. When you are done, answer in one or two sentences."
)


class Model(Protocol):
    async def answer(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Turn: ...


@dataclass(frozen=True)
class Score:
    """How a job went. `why` is empty for a success."""

    job: str
    success: bool
    calls: int
    tokens: int
    why: str = ""


def approve(question: str) -> bool | str | ElicitResult:
    """The person approves what they asked for: the harness judges the world afterwards."""
    if several := re.search(r"To approve, type (\d+) and: (.*)", question):
        return ElicitResult(action="accept", content={"count": int(several[1]), "pattern": several[2]})
    deleted = re.match(r"Delete endpoint acme/(.+)\?", question)
    return deleted[1] if deleted else True


@asynccontextmanager
async def world(folder: Path, cloud_quota: int) -> AsyncIterator[tuple[Driver, Host]]:
    """A simulated namespace on a clock that stands still, and a host of a server in front of it."""
    options = PlaneOptions(
        data_dir=folder,
        token=TOKEN,
        namespace="acme",
        simulated=True,
        simulated_speed=0,
        cores=2,
        cloud_quota=cloud_quota,
        programs=tiny_programs,
    )

    async with plane.serving(options) as driver:

        async def open_backend(_: AsyncExitStack) -> Backend:
            return local(driver.plane.url, TOKEN)

        server = ServerOptions(open_backend=open_backend, poll_interval=0.05, host_timeout_s=2.0)
        async with serving(server, answer=approve) as host:
            yield driver, host


async def try_job(model: Model, job: Job, folder: Path) -> Score:
    """Let the model do the job in a world of its own."""
    async with world(folder, job.cloud_quota) as (driver, host):
        await job.prepare(driver)
        tools = (await host.client.list_tools()).tools
        messages: list[Message] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": job.request}]
        calls = tokens = 0
        while True:
            turn = await model.answer(messages, tools)
            tokens += turn.tokens
            messages.append(turn.message)
            wanted = turn.message.get("tool_calls") or []
            if not wanted or calls >= MOST_CALLS:
                break
            for call in wanted:
                calls += 1
                content = await _call(host, call["function"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
        done = await job.is_done(driver, str(turn.message.get("content") or ""))
    why = "" if done else "too many calls" if wanted else "the world or the answer is not as asked"
    return Score(job.name, done, calls, tokens, why)


async def _call(host: Host, function: dict[str, Any]) -> str:
    """The text of a tool's answer; of a call that is none, what is wrong with it."""
    try:
        arguments = json.loads(function.get("arguments") or "{}")
        return text_of(await host.send(function["name"], **arguments))
    except (MCPError, TypeError, ValueError) as error:
        return f"This is no call of a tool: {error}"
