"""What the service and the Hub know of a model, read before a tool needs it."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Self, TypeVar

from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.errors import BadRequest, Forbidden, NotFound, Unauthorized, Unavailable
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.catalog.catalog_items import find_catalog_item

Result = TypeVar("Result")


class ModelLookup:
    """What is known of one model: read at most once, and where it is begun early, beside other reads.

    What is still read when its block ends is given up.
    """

    def __init__(self, call: CallContext, repository: str, revision: str | None = None) -> None:
        self.repository = repository
        self._call = call
        self._revision = revision
        self._reading: asyncio.Task[KnownModel] | None = None

    def begin(self) -> None:
        """Read now, in the background."""
        if self._reading is None:
            self._reading = asyncio.create_task(gather_known(self._call, self.repository, self._revision))

    async def known(self) -> KnownModel:
        self.begin()
        assert self._reading is not None
        return await self._reading

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


async def gather_known(call: CallContext, repository: str, revision: str | None = None) -> KnownModel:
    """What the service and the Hub know about a model. A source that fails leaves its part empty."""
    suggestion, item, hub = await asyncio.gather(
        _result_or_none(call.endpoints.suggestion(repository)),
        _result_or_none(find_catalog_item(call.endpoints, repository)),
        call.hub.read(repository, revision),
    )
    return KnownModel(repository, suggestion, item, hub)


async def _result_or_none(answer: Awaitable[Result]) -> Result | None:
    try:
        return await answer
    except (NotFound, BadRequest, Unauthorized, Forbidden, Unavailable):
        return None
