"""One query of a namespace, or of all the caller's namespaces at the same time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_endpoints.all_namespaces import ALL_NAMESPACES, query_all_namespaces
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.outputs import RefusedNamespace

T = TypeVar("T")


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

    async def query_allowed(one: str) -> T:
        call.check_namespace(one)
        return await query(one)

    found = await query_all_namespaces(call.endpoints, query_allowed)
    refused = [RefusedNamespace(namespace=one, code=error.code) for one, error in found.errors.items()]
    return NamespaceResults(found.answers, refused)
