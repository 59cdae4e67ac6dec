"""Blocking calls where programs make them: scripts, threads, notebooks, forks; and how they are broken off."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CLOUD
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream

from inference_endpoints import InferenceEndpoint, get_inference_endpoint, sync
from inference_endpoints.blocking import _portal, blocking

pytestmark = pytest.mark.anyio


STRICT = ("-W", "error")
"""Any warning is an error, also one about a connection that was not closed."""


class Counter:
    """Counts, and remembers whether it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def count(self, limit: int) -> AsyncIterator[int]:
        try:
            for number in range(limit):
                await asyncio.sleep(0)
                yield number
        finally:
            self.closed.set()

    each = blocking(count)

    @blocking
    async def later(self, limit: int) -> AsyncIterator[int]:
        """A stream that has to be opened first."""
        return self.count(limit)


def test_an_asynchronous_iterator_becomes_a_generator() -> None:
    counter = Counter()
    assert list(counter.each(3)) == [0, 1, 2]
    later: Any = counter.later(3)  # a generator by then, which no annotation can express
    assert list(later) == [0, 1, 2]
    assert counter.closed.is_set()


def test_leaving_a_generator_early_closes_the_stream() -> None:
    counter = Counter()
    with closing(counter.each(3)) as numbers:
        assert next(numbers) == 0
        assert not counter.closed.is_set()
    assert counter.closed.is_set()


def test_an_error_arrives_as_it_was_raised() -> None:
    @blocking
    async def fails() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        fails()


def test_a_blocking_call_inside_another_is_refused_rather_than_stuck() -> None:
    @blocking
    async def inner() -> None:
        return

    @blocking
    async def outer() -> None:
        inner()

    with pytest.raises(RuntimeError, match="inside another"):
        outer()


async def test_a_notebook_may_call_under_its_running_loop(default_driver: Driver) -> None:
    """The plane is served by this very loop, so the call that blocks it is one that needs no plane."""

    @blocking
    async def thread() -> int:
        return threading.get_ident()

    assert asyncio.get_running_loop().is_running()
    assert thread() != threading.get_ident()
    with pytest.raises(ValueError, match="Nothing to change"):
        InferenceEndpoint.from_raw((await default_driver.create()).body, "acme").update()


async def test_many_threads_may_call_at_once(default_driver: Driver) -> None:
    for number in range(4):
        await default_driver.create(f"chat-{number}")

    def names() -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(get_inference_endpoint, [f"chat-{number % 4}" for number in range(32)])
            return [endpoint.name for endpoint in found]

    assert await asyncio.to_thread(names) == [f"chat-{number % 4}" for number in range(32)]


async def test_a_blocking_client_and_an_asynchronous_program_do_not_disturb_each_other(default_driver: Driver) -> None:
    with sync.EndpointsClient() as client:
        await default_driver.create()
        seen = await asyncio.gather(*(asyncio.to_thread(client.get, "chat") for _ in range(4)))
        assert {endpoint.name for endpoint in seen} == {"chat"}
        assert [endpoint.name for endpoint in await asyncio.to_thread(lambda: list(client.iterate()))] == ["chat"]
        handle = await asyncio.to_thread(lambda: sync.get_inference_endpoint("chat", api=client))
        assert (await asyncio.to_thread(handle.pause)).status == "paused"
        await asyncio.to_thread(client.close)
        assert (await asyncio.to_thread(client.get, "chat")).state == "paused"


def test_an_interrupt_while_the_loop_takes_a_call_cancels_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment in which the loop has it already, and the caller has nothing yet to cancel it by."""
    reached: list[str] = []

    @blocking
    async def work() -> None:
        await asyncio.Event().wait()
        reached.append("the end")

    @blocking
    async def running() -> int:
        return len(asyncio.all_tasks()) - 1

    before = running()
    loop = _portal()._loop  # noqa: SLF001 - nothing public is open in this instant
    hand_over = loop.call_soon_threadsafe

    def interrupted(*arguments: Any) -> None:
        monkeypatch.undo()
        hand_over(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert (running(), reached) == (before, [])


INTERRUPTED = """
import asyncio, threading
from inference_endpoints import aio, get_inference_endpoint
from inference_endpoints.blocking import blocking

cancelled = threading.Event()

@blocking
async def call_once():
    print("calling", flush=True)
    try:
        await aio.get_inference_endpoint("chat", namespace="acme")
    except asyncio.CancelledError:
        cancelled.set()
        raise

try:
    call_once()
except KeyboardInterrupt:
    print("interrupted", cancelled.wait(300))
print(get_inference_endpoint("other", namespace="acme").name)
"""


async def test_ctrl_c_cancels_the_call_and_leaves_the_program_usable(default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/v2/endpoint/acme/chat", SILENT)
    default_upstream.answers("GET", "/v2/endpoint/acme/other", Answer(body=default_upstream.endpoint("running")))
    program = start(INTERRUPTED, *STRICT)
    assert program.stdout
    assert await asyncio.to_thread(program.stdout.readline) == "calling\n"
    program.send_signal(signal.SIGINT)
    assert await ended(program) == "interrupted True\nchat\n"


BROKEN_OFF = """
import asyncio
from inference_endpoints.blocking import blocking

@blocking
async def stream():
    try:
        print("reading", flush=True)
        await asyncio.Event().wait()
        yield
    finally:
        await asyncio.sleep(0.2)  # closing takes longer than the interrupt
        print("closed")

try:
    list(stream())
except KeyboardInterrupt:
    print("interrupted")
"""


async def test_ctrl_c_in_a_stream_lets_it_close_first() -> None:
    program = start(BROKEN_OFF, *STRICT)
    assert program.stdout
    assert await asyncio.to_thread(program.stdout.readline) == "reading\n"
    program.send_signal(signal.SIGINT)
    assert await ended(program) == "closed\ninterrupted\n"


NOT_WOKEN = """
import asyncio, signal
from inference_endpoints.blocking import blocking

@blocking
async def forever():
    print("calling", flush=True)
    await asyncio.Event().wait()

blocking(asyncio.sleep)(0)  # starts the thread of the loop, to which the system then gives the signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    forever()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no signal masks")
async def test_ctrl_c_ends_a_wait_that_it_does_not_wake() -> None:
    """As when it comes in the moment before the wait begins: Python notes it, and then waits."""
    program = start(NOT_WOKEN, *STRICT)
    assert program.stdout
    assert await asyncio.to_thread(program.stdout.readline) == "calling\n"
    program.send_signal(signal.SIGINT)
    assert await ended(program) == "interrupted\n"


FORKED = """
import os, sys
from inference_endpoints import EndpointsClient, get_inference_endpoint
from inference_endpoints.transport.backend import default_backend
handle = get_inference_endpoint("chat")
client = EndpointsClient(default_backend())
client.get("chat")
child = os.fork()
names = [handle.fetch().name, client.get("chat").name, get_inference_endpoint("chat").name]
if child == 0:
    assert names == ["chat"] * 3, names
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *names, handle.fetch().name)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
async def test_both_sides_of_a_fork_go_on_calling(default_driver: Driver) -> None:
    """The child leaves the parent's connections open, so its warnings about them do not count."""
    await default_driver.create()
    assert await ended(start(FORKED, "-W", "ignore::DeprecationWarning")) == "7 chat chat chat chat\n"


SCRIPT = """
import threading
from inference_endpoints import create_inference_endpoint, list_inference_endpoints
endpoint = create_inference_endpoint("chat", repository="gpt2", **{cloud})
threading.Thread(target=endpoint.wait, daemon=True).start()
print(list_inference_endpoints())
"""


async def test_a_script_ends_without_a_warning_even_with_a_wait_open(default_driver: Driver) -> None:
    printed = await ended(start(SCRIPT.replace("{cloud}", repr(CLOUD)), *STRICT))
    assert printed.startswith("[InferenceEndpoint(name='chat', namespace='acme', repository='gpt2', status='pending', ")
    assert printed.count("\n") == 1


LASTING = """
import asyncio
from inference_endpoints.blocking import blocking

async def connection():
    try:
        yield
    finally:
        await asyncio.sleep(0)
        print("closed")

@blocking
async def connect():
    kept.append(connection())
    await anext(kept[0])

kept = []
connect()
print("ends")
"""


async def test_resources_of_the_loop_are_closed_when_the_program_ends() -> None:
    assert await ended(start(LASTING, *STRICT)) == "ends\nclosed\n"


ASYNCHRONOUS = """
import asyncio
from inference_endpoints.aio import get_inference_endpoint
async def main():
    return (await get_inference_endpoint("chat")).name
print(asyncio.run(main()), asyncio.run(main()))
"""


async def test_each_event_loop_has_connections_of_its_own_and_closes_them(default_driver: Driver) -> None:
    await default_driver.create()
    assert await ended(start(ASYNCHRONOUS, *STRICT)) == "chat chat\n"


def start(program: str, *flags: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *flags, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ended(program: "subprocess.Popen[str]") -> str:
    """The rest of the program's output, once it has ended without an error."""
    output, errors = await asyncio.to_thread(program.communicate, timeout=HANG_TIMEOUT_S)
    assert (program.returncode, errors) == (0, "")
    return output
