"""Runs the examples of docstrings and documents, blocking and asynchronous, and compares what they print."""

import ast
import asyncio
import builtins
import doctest
import inspect
import io
from contextlib import redirect_stdout
from typing import Any

from inference_endpoints import AsyncEndpointsClient, EndpointsClient

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class ExampleRunner:
    """Examples that share their names and one event loop. `await` stands at the top level, as in a notebook."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = {"__name__": "__main__", **names}
        self._loop = asyncio.Runner()

    def run(self, text: str) -> int:
        """Run every `>>>` of a text; returns how many there are. Raises AssertionError for another output."""
        examples = doctest.DocTestParser().get_examples(text)
        for example in examples:
            printed = self.execute(example.source, "single")
            assert doctest.OutputChecker().check_output(example.want, printed, FLAGS), (
                f"{example.source}printed\n{printed}instead of\n{example.want}"
            )
        return len(examples)

    def execute(self, source: str, mode: str = "exec") -> str:
        """Run a program; returns what it prints."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        with redirect_stdout(io.StringIO()) as printed:
            result = eval(compile(source, "<example>", mode, flags, dont_inherit=True), self.names)  # noqa: S307
            if inspect.iscoroutine(result):
                self._loop.run(result)
        return printed.getvalue()

    def close(self) -> None:
        """Close the clients that the examples opened, and the loop with what is still open in it."""
        for value in self.names.values():
            if isinstance(value, AsyncEndpointsClient):
                self._loop.run(value.aclose())
            elif isinstance(value, EndpointsClient):
                value.close()
        self._loop.close()
        vars(builtins).pop("_", None)  # set by the interactive mode of `compile`
