"""What could be written next, for arguments of prompts, resource templates and whatever else has arguments of these
names."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mcp.types import Completion

from inference_endpoints.deploy.hardware import offers
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.privacy.untrusted_text import line
from inference_endpoints_mcp.tools.call_context import CallContext

MOST = 100
"""Values in one answer, the most the protocol allows."""
LONGEST = 512
"""Characters of a value."""
REMEMBERED_S = 5.0
"""Seconds values are remembered: people type faster than fleets change."""


@dataclass(frozen=True)
class Source:
    """Where the values of an argument come from: what a tool would show of a namespace."""

    tool: str
    values: Callable[[CallContext, str], Awaitable[list[str]]]


async def _endpoint_names(scope: CallContext, namespace: str) -> list[str]:
    return [endpoint.name for endpoint in await scope.endpoints.list(namespace)]


async def _hardware(scope: CallContext, namespace: str) -> list[str]:
    return [offer.id for offer in offers(await scope.hardware.vendors(namespace))]


async def _models(scope: CallContext, _: str) -> list[str]:
    return [item.repo_id for item in await scope.endpoints.catalogue()]


SOURCES = {
    "endpoint_name": Source("list_endpoints", _endpoint_names),
    "hardware": Source("get_vendors", _hardware),
    "repository": Source("list_catalog_items", _models),
}


class Completions:
    """Completes arguments by their names, from what the tools offered to a caller would show.

    `namespaces` gives those a caller may use, `offers` tells whether a tool is offered.
    """

    def __init__(
        self, namespaces: Callable[[CallContext], Awaitable[list[str]]], offers: Callable[[str], bool]
    ) -> None:
        self._namespaces = namespaces
        self._offers = offers
        self._remembered: dict[tuple[str, str], tuple[float, list[str]]] = {}

    async def complete(self, scope: CallContext, argument: str, begun: str, others: Mapping[str, str]) -> Completion:
        """The values that go on from what was begun. None where they cannot be known: completing is a courtesy."""
        try:
            known = await self._known(scope, argument, others.get("namespace", ""))
        except InferenceEndpointError:
            known = []
        matching = [value for value in known if _goes_on(value.lower(), begun.lower())]
        # What is cleaned or masked on its way out is no value any more.
        usable = [value for value in matching if scope.redactor.text(line(value, LONGEST)) == value]
        return Completion(values=usable[:MOST], total=len(usable), has_more=len(usable) > MOST)

    async def _known(self, scope: CallContext, argument: str, namespace: str) -> list[str]:
        if argument == "namespace":
            return await self._namespaces(scope)
        source = SOURCES.get(argument)
        if source is None or not self._offers(source.tool):
            return []
        key = argument, await scope.resolve_namespace(namespace)
        now = time.monotonic()
        if key not in self._remembered or now - self._remembered[key][0] > REMEMBERED_S:
            values = sorted(set(await source.values(scope, key[1])))
            self._remembered = {
                one: known for one, known in self._remembered.items() if now - known[0] <= REMEMBERED_S
            } | {key: (now, values)}
        return self._remembered[key][1]


def _goes_on(value: str, begun: str) -> bool:
    """A model is often known by its own name alone."""
    return value.startswith(begun) or value.rpartition("/")[2].startswith(begun)
