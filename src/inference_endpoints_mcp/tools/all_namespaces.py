"""One query of a namespace, or of all the caller's namespaces at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.outputs import RefusedNamespace

T = TypeVar("T")

ALL_NAMESPACES = "*"
MAX_CONCURRENT_NAMESPACES = 8


@dataclass(frozen=True)
class NamespaceResults(Generic[T]):
    """The results by namespace, in the caller's order, and the namespaces that returned none."""

    results: dict[str, T]
    refused: list[RefusedNamespace]

    @property
    def refused_note(self) -> str:
        """A sentence for `now`; empty if no namespace is missing."""
        if not self.refused:
            return ""
        return f" Not covered: {', '.join(f'{one.namespace} ({one.code})' for one in self.refused)}."


async def query_namespaces(
    call: CallContext, namespace: str, query: Callable[[str], Awaitable[T]]
) -> NamespaceResults[T]:
    """Query one namespace; with "*" every namespace the caller may act for and policy does not exclude.

    Raises the error of the query if one namespace is meant, or if all of them fail.
    """
    if namespace != ALL_NAMESPACES:
        namespace = await call.resolve_namespace(namespace)
        return NamespaceResults({namespace: await query(namespace)}, [])
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_NAMESPACES)

    async def result_or_error(one: str) -> T | InferenceEndpointError:
        try:
            call.check_namespace(one)
            async with semaphore:
                return await query(one)
        except InferenceEndpointError as error:
            return error

    namespaces = (await call.endpoints.whoami()).namespaces
    outcomes = dict(zip(namespaces, await asyncio.gather(*map(result_or_error, namespaces)), strict=True))
    errors = {one: outcome for one, outcome in outcomes.items() if isinstance(outcome, InferenceEndpointError)}
    results = {one: outcome for one, outcome in outcomes.items() if not isinstance(outcome, InferenceEndpointError)}
    if not results:
        raise next(iter(errors.values()))
    refused = [RefusedNamespace(namespace=one, code=error.code) for one, error in errors.items()]
    return NamespaceResults(results, refused)
