"""Blocking twins of asynchronous functions, all made by the wrapper `blocking`.

Their coroutines run on an event loop in a thread of its own. So a twin may be called from any thread, under a running
loop (a notebook's) and after a fork.

Not anyio's blocking portal: on Ctrl-C its call returns before the coroutine has cleaned up, and every `await` of the
clean-up is cancelled as well. It also needs most of this module around it, for forks and for the end of the program.
"""

import asyncio
import atexit
import functools
import inspect
import os
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item")

_EXAMPLE = re.compile(r"^ *(?:>>>|\.\.\.) .*$", re.MULTILINE)
_ASYNCHRONOUS = re.compile(r"\bawait |\basync (?=for|with)|\bAsync(?=[A-Z])|\ba(?=close\()")

SIGNAL_CHECK_S = 0.5
"""Seconds after which a wait looks for a signal: one that comes in the moment before the wait begins does not end
it."""

SHUTDOWN_TIMEOUT_S = 5.0
"""Longest time that the end of the program waits for connections to close."""


@overload
def blocking(function: Callable[P, AsyncIterator[Item]]) -> Callable[P, Generator[Item]]: ...
@overload
def blocking(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]: ...
def blocking(function: Callable[P, Any]) -> Callable[P, Any]:
    """The same function, called without `await`; an asynchronous iterator becomes a generator.

    It keeps name, signature and docstring, the docstring's example without `await`. Ctrl-C cancels the coroutine and
    raises `KeyboardInterrupt` as usual. Raises `RuntimeError` when a coroutine that runs in a blocking call calls it:
    it would wait for itself.

    As a method, it passes its own object to the asynchronous function as `self`.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        portal = _portal()
        result = function(*args, **kwargs)
        if inspect.iscoroutine(result):
            result = portal.run(result)
        return _generator_of(result) if isinstance(result, AsyncIterator) else result

    call.__module__ = _calling_module()
    bound = inspect.ismethod(function)
    call.__doc__ = without_await(function.__doc__ or "")
    call.__qualname__ = function.__name__ if bound else function.__qualname__.removeprefix("Async")
    return call


def without_await(docstring: str) -> str:
    """The docstring of a blocking twin: in the lines of its examples nothing is asynchronous."""
    return _EXAMPLE.sub(lambda line: _ASYNCHRONOUS.sub("", line[0]), docstring)


def _calling_module() -> str:
    """The module that defines the twin: pickle finds the function by its name there."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"] == __name__:
        frame = frame.f_back
    return cast("str", frame.f_globals["__name__"]) if frame else __name__


def _generator_of(items: AsyncIterator[Item]) -> Generator[Item]:
    """The items, each awaited on demand. Close it when leaving it early: the stream stays open until then."""
    portal = _portal()
    try:
        while True:
            try:
                item = portal.run(_next_of(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        if isinstance(items, AsyncGenerator):
            portal.close_generator(items.aclose())


async def _next_of(items: AsyncIterator[Item]) -> Item:
    return await anext(items)


class _Call(Generic[R]):
    """One coroutine on the loop, and its result for the waiting thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, R]) -> None:
        self.result: Future[R] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[R] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:  # interrupted before it started
            self._coroutine.close()
            self.result.cancel()

    def wait_for_result(self) -> R:
        while not self.result.done():
            wait([self.result], SIGNAL_CHECK_S)
        return self.result.result()

    def _done(self, task: asyncio.Task[R]) -> None:
        if task.cancelled():
            self.result.cancel()
        elif error := task.exception():
            self.result.set_exception(error)
        else:
            self.result.set_result(task.result())


class _Portal:
    """An event loop in a thread, and the calls into it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._shutting_down = False
        self._loop = asyncio.new_event_loop()
        # A daemon: the interpreter waits for all other threads before it runs `atexit`, which stops this one.
        self._thread = threading.Thread(target=self._serve, name="inference-endpoints", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """The coroutine's result. An interrupt, such as Ctrl-C, cancels the coroutine and lets it clean up."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a blocking call was made inside another one: await the asynchronous function instead")
        call = _Call(coroutine)
        # An interrupt may come at any moment in here, so the call exists before it starts.
        try:
            self._loop.call_soon_threadsafe(call.start)
            return call.wait_for_result()
        except BaseException as error:
            if not call.result.done():
                self._loop.call_soon_threadsafe(call.cancel)
                with suppress(CancelledError, Exception):
                    call.wait_for_result()  # it has cleaned up before the interrupt continues
            if self._shutting_down and isinstance(error, CancelledError):
                raise SystemExit from None  # the program ends: this thread ends without a traceback
            raise

    def close_generator(self, closing: Coroutine[Any, Any, None]) -> None:
        """Close a generator. Garbage collection may do so in any thread, even the loop's own, which must not wait."""
        if self._loop.is_closed():
            closing.close()
        elif threading.current_thread() is self._thread:
            asyncio.run_coroutine_threadsafe(closing, self._loop)
        else:
            self.run(closing)

    def shut_down(self) -> None:
        self._shutting_down = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SHUTDOWN_TIMEOUT_S)

    def _serve(self) -> None:
        # Not asyncio.Runner: it may start a thread when it closes, which an ending program cannot.
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


_portals: list[_Portal] = []
"""The last one is that of this process, if any. Those of parent processes stay referenced after a fork: closing their
loops would close the parent's connections."""
_lock = threading.Lock()


def _portal() -> _Portal:
    with _lock:
        if not _portals or _portals[-1].pid != os.getpid():
            _portals.append(_Portal())
        return _portals[-1]


@atexit.register
def _at_exit() -> None:
    if _portals and _portals[-1].pid == os.getpid():
        _portals.pop().shut_down()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
