"""Asynchronous functions made blocking, all by the one wrapper `blocking`.

Their coroutines run in one thread with an event loop of its own. So they may be called from any thread, under a
running loop (a notebook's) and after a fork.
"""

import asyncio
import atexit
import functools
import inspect
import os
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item")

_EXAMPLE = re.compile(r"^ *(?:>>>|\.\.\.) .*$", re.MULTILINE)
_ASYNCHRONOUS = re.compile(r"\bawait |\basync (?=for|with)|\bAsync(?=[A-Z])|\ba(?=close\()")

ENDS_WITHIN_S = 5.0
"""Longest that the end of the program waits for connections to be closed."""


@overload
def blocking(function: Callable[P, AsyncIterator[Item]]) -> Callable[P, Generator[Item]]: ...
@overload
def blocking(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]: ...
def blocking(function: Callable[P, Any]) -> Callable[P, Any]:
    """The same function, to be called without `await`; an asynchronous iterator becomes a generator.

    Name, signature and docstring survive, the docstring's example without `await`. Ctrl-C cancels the coroutine and
    raises `KeyboardInterrupt` as always. Raises `RuntimeError` when called from a coroutine that a blocking call runs:
    it would wait for itself.

    As a method, it lends its own object to the asynchronous function as `self`.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        portal = _portal()
        result = function(*args, **kwargs)
        if inspect.iscoroutine(result):
            result = portal.run(result)
        return _each(result) if isinstance(result, AsyncIterator) else result

    call.__module__ = _definer()
    bound = inspect.ismethod(function)
    call.__doc__ = without_await(function.__doc__ or "")
    call.__qualname__ = function.__name__ if bound else function.__qualname__.removeprefix("Async")
    return call


def without_await(docstring: str) -> str:
    """The docstring of a blocking twin: in the lines of its examples nothing is asynchronous."""
    return _EXAMPLE.sub(lambda line: _ASYNCHRONOUS.sub("", line[0]), docstring)


def _definer() -> str:
    """The module that asks for a wrapper, under whose name the function can be pickled."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"] == __name__:
        frame = frame.f_back
    return cast("str", frame.f_globals["__name__"]) if frame else __name__


def _each(items: AsyncIterator[Item]) -> Generator[Item]:
    """The items, each awaited when it is asked for. Close it when leaving it early, as the stream stays open."""
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
            portal.finish(items.aclose())


async def _next_of(items: AsyncIterator[Item]) -> Item:
    return await anext(items)


class _Call(Generic[R]):
    """One coroutine in the loop, and its result for the thread that waits for it."""

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
        else:  # interrupted before it was handed over
            self._coroutine.close()
            self.result.cancel()

    def _done(self, task: asyncio.Task[R]) -> None:
        if task.cancelled():
            self.result.cancel()
        elif error := task.exception():
            self.result.set_exception(error)
        else:
            self.result.set_result(task.result())


class _Portal:
    """An event loop in a thread, and the way in."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._ending = False
        self._loop = asyncio.new_event_loop()
        # A thread that is no daemon would be waited for before it could be told that the program ends.
        self._thread = threading.Thread(target=self._serve, name="inference-endpoints", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """The coroutine's result; whatever else ends the waiting, such as Ctrl-C, cancels it and lets it clean up."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a blocking call was made from within another; await the asynchronous one instead")
        call = _Call(coroutine)
        # What is to be cancelled exists before it is handed over: an interrupt may come at any moment in here.
        try:
            self._loop.call_soon_threadsafe(call.start)
            return call.result.result()
        except BaseException as error:
            if not call.result.done():
                self._loop.call_soon_threadsafe(call.cancel)
                with suppress(CancelledError, Exception):
                    call.result.result()  # what it cleans up is done when the interrupt goes on
            if self._ending and isinstance(error, CancelledError):
                raise SystemExit from None  # the program ends, and so does this daemon thread, without a traceback
            raise

    def finish(self, closing: Coroutine[Any, Any, None]) -> None:
        """Run what cleans up, without waiting where that cannot be: a garbage collection can happen in any thread."""
        if self._loop.is_closed():
            closing.close()
        elif threading.current_thread() is self._thread:
            asyncio.run_coroutine_threadsafe(closing, self._loop)
        else:
            self.run(closing)

    def end(self) -> None:
        self._ending = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ENDS_WITHIN_S)

    def _serve(self) -> None:
        # Not asyncio.Runner: it would start a thread at its end, which a program that ends no longer can.
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
"""The last is that of this process, if it has one. Those of processes it was forked from are kept, since closing
their loops would reach into the parent's."""
_choosing = threading.Lock()


def _portal() -> _Portal:
    with _choosing:
        if not _portals or _portals[-1].pid != os.getpid():
            _portals.append(_Portal())
        return _portals[-1]


@atexit.register
def _at_exit() -> None:
    if _portals and _portals[-1].pid == os.getpid():
        _portals.pop().end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_choosing.acquire, after_in_parent=_choosing.release, after_in_child=_choosing.release)
