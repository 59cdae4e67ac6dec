"""One query of a namespace, or of all the caller's namespaces at the same time."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES, NamespaceResults, query_all_namespaces
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.outputs import RefusedNamespace

T = TypeVar("T")


async def query_namespaces(
    call: CallContext, namespace: str, query: Callable[[str], Awaitable[T]]
) -> NamespaceResults[T]:
    """Query one namespace; with "*" every namespace the caller may act for and policy does not exclude.

    Raises the error of the query if one namespace is meant, or if all of them fail.
    """
    if namespace != ALL_NAMESPACES:
        namespace = await call.resolve_namespace(namespace)
        return NamespaceResults(namespace, {namespace: await query(namespace)}, {})

    async def query_allowed(one: str) -> T:
        call.check_namespace(one)
        return await query(one)

    return await query_all_namespaces(call.endpoints, query_allowed)


def refused_namespaces(errors: Mapping[str, InferenceEndpointError]) -> list[RefusedNamespace] | None:
    """The namespaces without an answer; None if there are none."""
    return [RefusedNamespace(namespace=one, code=error.code) for one, error in errors.items()] or None


def refused_note(errors: Mapping[str, InferenceEndpointError]) -> str:
    """A sentence for `now`; empty if no namespace is missing."""
    missing = ", ".join(f"{one} ({error.code})" for one, error in errors.items())
    return f" Not covered: {missing}." if missing else ""
