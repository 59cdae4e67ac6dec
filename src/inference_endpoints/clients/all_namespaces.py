"""One query of all namespaces that a token may act for, at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError

T = TypeVar("T")

ALL_NAMESPACES = "*"
MAX_CONCURRENT_NAMESPACES = 8


@dataclass(frozen=True)
class NamespaceResults(Generic[T]):
    """The results and errors by namespace. `own` is the one that was requested, or that of the token's owner."""

    own: str
    results: dict[str, T]
    errors: dict[str, InferenceEndpointError]


async def query_all_namespaces(
    client: AsyncEndpointsClient, query: Callable[[str], Awaitable[T]]
) -> NamespaceResults[T]:
    """Query every namespace. Raises the error of the first namespace if all of them fail."""
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_NAMESPACES)
    results: dict[str, T] = {}
    errors: dict[str, InferenceEndpointError] = {}

    async def query_one(namespace: str) -> T | InferenceEndpointError:
        try:
            async with semaphore:
                return await query(namespace)
        except InferenceEndpointError as error:
            return error

    namespaces = (await client.whoami()).namespaces
    for namespace, outcome in zip(namespaces, await asyncio.gather(*map(query_one, namespaces)), strict=True):
        if isinstance(outcome, InferenceEndpointError):
            errors[namespace] = outcome
        else:
            results[namespace] = outcome
    if not results:
        raise errors[namespaces[0]]
    return NamespaceResults(namespaces[0], results, errors)
