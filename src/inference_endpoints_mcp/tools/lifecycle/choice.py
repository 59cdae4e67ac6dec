"""Which endpoints a call means: one by its name, several by their names, or those that match a filter."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES
from inference_endpoints.deploy.request_validation import nearest
from inference_endpoints.errors import BadRequest, InferenceEndpointError, NotFound
from inference_endpoints.models import Endpoint, HardwareListing
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.lifecycle.endpoint_filter import EndpointFilter
from inference_endpoints_mcp.tools.namespace_queries import query_namespaces, refused_note
from inference_endpoints_mcp.tools.reading import read_together

MOST_AT_ONCE = 100
"""Endpoints of one call: a person reads all of them before approving."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Target:
    """An endpoint that a call means, None where it does not exist, and the hardware listing of its namespace.

    `similar` names those whose names are like one that does not exist.
    """

    namespace: str
    name: str
    current: Endpoint | None
    listing: HardwareListing
    similar: str = ""

    def require(self) -> Endpoint:
        """The endpoint. Raises `NotFound` with similar names."""
        if self.current is None:
            raise NotFound(f"Endpoint {self.namespace}/{self.name} does not exist.", hint=self.similar)
        return self.current


@dataclass(frozen=True)
class Choice:
    """The arguments that say which endpoints are meant. Exactly one of the first three is given; a filter may choose
    from all namespaces."""

    endpoint_name: str = ""
    names: Sequence[str] = ()
    where: str = ""
    namespace: str = ""

    @property
    def is_several(self) -> bool:
        """Whether several may be meant. Raises `BadRequest` where it is not clear which."""
        if sum(map(bool, (self.endpoint_name, self.names, self.where))) != 1:
            raise BadRequest(
                "It is not clear which endpoints are meant: nothing was done.",
                hint="Give one of endpoint_name, names (several) and where (a filter).",
            )
        if self.namespace == ALL_NAMESPACES and not self.where:
            raise BadRequest(
                'namespace="*" goes with where: nothing was done.',
                hint="Leave it out, and give each name as namespace/name.",
            )
        return not self.endpoint_name

    async def find_one(self, call: CallContext) -> Target:
        """The endpoint of this name, or that there is none."""
        namespace, name = await call.resolve_endpoint(self.endpoint_name, self.namespace)
        current, listing = await read_together(
            find_endpoint(call, namespace, name), call.hardware_cache.fresh_listing(namespace)
        )
        similar = "" if current else await similar_names(call, namespace, name)
        return Target(namespace, name, current, listing, similar)

    async def find_all(self, call: CallContext) -> "ChosenEndpoints":
        """All that are meant, by namespace and name; those that are named may not exist.

        Raises `BadRequest` for more than `MOST_AT_ONCE`.
        """
        return await self._find_matching(call) if self.where else ChosenEndpoints(await self._find_named(call))

    async def _find_named(self, call: CallContext) -> list[Target]:
        names = {await call.resolve_endpoint(name, self.namespace) for name in self.names}
        _check_number(len(names))
        namespaces = sorted({namespace for namespace, _ in names})
        listed = dict(zip(namespaces, await asyncio.gather(*map(call.endpoints.list, namespaces)), strict=True))
        there = {(namespace, one.name): one for namespace, found in listed.items() for one in found}
        listings = {one: await call.hardware_cache.fresh_listing(one) for one in namespaces}
        return [
            Target(
                namespace, name, there.get((namespace, name)), listings[namespace], similar_to(name, listed[namespace])
            )
            for namespace, name in sorted(names)
        ]

    async def _find_matching(self, call: CallContext) -> "ChosenEndpoints":
        wanted = EndpointFilter.parse(self.where)

        async def find(namespace: str) -> list[Endpoint]:
            listed = await call.endpoints.list(namespace, **wanted.query)
            at = call.endpoints.http.clock.now()
            return [one for one in listed if wanted.matches(one, at)]

        queried = await query_namespaces(call, self.namespace, find)
        _check_number(sum(map(len, queried.results.values())))
        found = {namespace: endpoints for namespace, endpoints in queried.results.items() if endpoints}
        listings = {namespace: await call.hardware_cache.fresh_listing(namespace) for namespace in found}
        targets = [
            Target(namespace, one.name, one, listings[namespace])
            for namespace, endpoints in found.items()
            for one in endpoints
        ]
        return ChosenEndpoints(
            sorted(targets, key=lambda one: (one.namespace, one.name)), refused_note(queried.errors).strip()
        )


@dataclass(frozen=True)
class ChosenEndpoints:
    """The endpoints that a call for several means. `not_covered` names the namespaces that could not be searched."""

    targets: Sequence[Target]
    not_covered: str = ""


async def similar_names(call: CallContext, namespace: str, name: str) -> str:
    """A hint for a name that does not exist."""
    try:
        return similar_to(name, await call.endpoints.list(namespace))
    except InferenceEndpointError:
        return similar_to(name, [])


async def find_endpoint(call: CallContext, namespace: str, name: str) -> Endpoint | None:
    try:
        return await call.endpoints.get(name, namespace)
    except NotFound:
        return None


def similar_to(name: str, endpoints: Sequence[Endpoint]) -> str:
    """A hint with the names most like one that does not exist."""
    near = nearest(name, [one.name for one in endpoints if _NAME.fullmatch(one.name)])
    return f"{near} list_endpoints shows all.".strip()


def _check_number(count: int) -> None:
    if count > MOST_AT_ONCE:
        raise BadRequest(
            f"{count} endpoints are meant, and one call changes at most {MOST_AT_ONCE}: nothing was done.",
            hint="Narrow the filter, e.g. name=ci-1*, or name one namespace, and call several times.",
        )
