"""One question to a namespace, or to all the caller's at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.tools.context import CallScope
from inference_endpoints_mcp.tools.outputs import RefusedNamespace

T = TypeVar("T")

EVERY_NAMESPACE = "*"
AT_ONCE = 8
"""Namespaces asked at the same time."""


@dataclass(frozen=True)
class Everywhere(Generic[T]):
    """What was answered, by namespace in the caller's order, and who did not."""

    answers: dict[str, T]
    refused: list[RefusedNamespace]

    @property
    def left_out(self) -> str:
        """A sentence for `now`; empty if nothing is missing."""
        if not self.refused:
            return ""
        return f" Not covered: {', '.join(f'{one.namespace} ({one.code})' for one in self.refused)}."


async def ask(call: CallScope, namespace: str, question: Callable[[str], Awaitable[T]]) -> Everywhere[T]:
    """Ask the namespace meant; with "*" every one the caller may act for and policy does not exclude.

    Raises what the question raises if one namespace is meant, or if none answered.
    """
    if namespace != EVERY_NAMESPACE:
        namespace = await call.namespace(namespace)
        return Everywhere({namespace: await question(namespace)}, [])
    places = asyncio.Semaphore(AT_ONCE)

    async def answer(one: str) -> T | InferenceEndpointError:
        try:
            call.check_namespace(one)
            async with places:
                return await question(one)
        except InferenceEndpointError as error:
            return error

    asked = (await call.endpoints.whoami()).namespaces
    said = dict(zip(asked, await asyncio.gather(*map(answer, asked)), strict=True))
    errors = {one: error for one, error in said.items() if isinstance(error, InferenceEndpointError)}
    answers = {one: found for one, found in said.items() if not isinstance(found, InferenceEndpointError)}
    if not answers:
        raise next(iter(errors.values()))
    return Everywhere(answers, [RefusedNamespace(namespace=one, code=error.code) for one, error in errors.items()])
