"""What could be written next, for arguments of resource templates and whatever else has arguments of these names."""

import time
from collections.abc import Awaitable, Callable, Mapping

from mcp.types import Completion

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp.tools.ports import CallScope

MOST = 100
"""Values in one answer, the most the protocol allows."""
REMEMBERED_S = 5.0
"""Seconds a fleet's names are remembered: people type faster than fleets change."""

Completer = Callable[[CallScope, Mapping[str, str]], Awaitable[list[str]]]
"""Given the other arguments so far, all values there are."""


class Completions:
    """Completes arguments by their names. `namespaces` gives those a caller may use."""

    def __init__(self, namespaces: Callable[[CallScope], Awaitable[list[str]]]) -> None:
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._completers: dict[str, Completer] = {
            "namespace": lambda scope, _: namespaces(scope),
            "endpoint_name": self._endpoint_names,
        }

    async def complete(self, scope: CallScope, argument: str, begun: str, others: Mapping[str, str]) -> Completion:
        """The values that go on from what was begun. None where they cannot be known: completing is a courtesy."""
        completer = self._completers.get(argument)
        try:
            known = await completer(scope, others) if completer else []
        except InferenceEndpointError:
            known = []
        matching = [value for value in known if value.lower().startswith(begun.lower())]
        return Completion(values=matching[:MOST], total=len(matching), has_more=len(matching) > MOST)

    async def _endpoint_names(self, scope: CallScope, others: Mapping[str, str]) -> list[str]:
        namespace = await scope.namespace(others.get("namespace", ""))
        seen_at, names = self._names.get(namespace, (0.0, []))
        now = time.monotonic()
        if not seen_at or now - seen_at > REMEMBERED_S:
            names = sorted(endpoint.name for endpoint in await scope.endpoints.list(namespace))
            stale = [key for key, (then, _) in self._names.items() if now - then > REMEMBERED_S]
            for key in stale:
                del self._names[key]
            self._names[namespace] = now, names
        return names
