"""Serve `completion/complete`: the arguments of prompts and resource templates, by their names."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import CompleteRequestParams, CompleteResult, Completion

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.server.tool_calls import is_offered
from inference_endpoints_mcp.tools.call_context import CallContext, open_call

MAX_VALUES = 100
"""Values in one response; the protocol allows no more."""
MAX_VALUE_LENGTH = 512
CACHE_TTL_S = 5.0
"""People type faster than endpoints change."""


@dataclass(frozen=True)
class CompletionSource:
    """Reads the values of an argument in a namespace. Used only if the caller may call `tool`, which shows them too."""

    tool: str
    read: Callable[[CallContext, str], Awaitable[list[str]]]


async def _read_endpoint_names(call: CallContext, namespace: str) -> list[str]:
    return [endpoint.name for endpoint in await call.endpoints.list(namespace)]


async def _read_hardware(call: CallContext, namespace: str) -> list[str]:
    from inference_endpoints.deploy.offers import list_offers  # the handshake does not need it

    return [offer.id for offer in list_offers(await call.hardware_cache.listing(namespace))]


async def _read_models(call: CallContext, _: str) -> list[str]:
    return [item.repo_id for item in await call.endpoints.catalogue()]


COMPLETION_SOURCES = {
    "endpoint_name": CompletionSource("list_endpoints", _read_endpoint_names),
    "hardware": CompletionSource("get_vendors", _read_hardware),
    "repository": CompletionSource("list_catalog_items", _read_models),
}


class ArgumentCompleter:
    """Completes arguments with values that the tools of the caller would show."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._cache: dict[tuple[str, str], tuple[float, list[str]]] = {}

    async def complete(self, ctx: ServerRequestContext[Any, Any], params: CompleteRequestParams) -> CompleteResult:
        call = await open_call(Context(request_context=ctx))
        others = (params.context.arguments if params.context else None) or {}
        return CompleteResult(
            completion=await self._complete(call, params.argument.name, params.argument.value, others)
        )

    async def _complete(self, call: CallContext, argument: str, prefix: str, others: Mapping[str, str]) -> Completion:
        """The values with this prefix; no values if they cannot be read, because completion is optional for a host."""
        try:
            known = await self._read_values(call, argument, others.get("namespace", ""))
        except InferenceEndpointError:
            known = []
        matching = [value for value in known if _has_prefix(value.lower(), prefix.lower())]
        # A value that cleaning or masking would change is useless.
        usable = [value for value in matching if call.redactor.text(clean_line(value, MAX_VALUE_LENGTH)) == value]
        return Completion(values=usable[:MAX_VALUES], total=len(usable), has_more=len(usable) > MAX_VALUES)

    async def _read_values(self, call: CallContext, argument: str, namespace: str) -> list[str]:
        if argument == "namespace":
            return await self._read_namespaces(call)
        source = COMPLETION_SOURCES.get(argument)
        if source is None or not is_offered(self._policy, source.tool):
            return []
        key = argument, await call.resolve_namespace(namespace)
        now = time.monotonic()
        if key not in self._cache or now - self._cache[key][0] > CACHE_TTL_S:
            values = sorted(set(await source.read(call, key[1])))
            fresh = {other: entry for other, entry in self._cache.items() if now - entry[0] <= CACHE_TTL_S}
            self._cache = fresh | {key: (now, values)}
        return self._cache[key][1]

    async def _read_namespaces(self, call: CallContext) -> list[str]:
        """The namespaces that the caller may use."""
        allowed = self._policy.namespaces
        return sorted((await call.endpoints.whoami()).namespaces if allowed is None else allowed)


def _has_prefix(value: str, prefix: str) -> bool:
    """Whether the value or, for a model, its name without the owner has the prefix."""
    return value.startswith(prefix) or value.rpartition("/")[2].startswith(prefix)
