"""One query of all namespaces that a token may act for, at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError

T = TypeVar("T")

ALL_NAMESPACES = "*"
MAX_CONCURRENT_NAMESPACES = 8


@dataclass(frozen=True)
class NamespaceAnswers(Generic[T]):
    """The answers and errors by namespace. `own` is the namespace of the token's owner."""

    own: str
    answers: dict[str, T]
    errors: dict[str, InferenceEndpointError]


async def query_all_namespaces(
    client: AsyncEndpointsClient, query: Callable[[str], Awaitable[T]]
) -> NamespaceAnswers[T]:
    """Query every namespace. Raises the error of the first namespace if all of them fail."""
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_NAMESPACES)
    answers: dict[str, T] = {}
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
            answers[namespace] = outcome
    if not answers:
        raise errors[namespaces[0]]
    return NamespaceAnswers(namespaces[0], answers, errors)
