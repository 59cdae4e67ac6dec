"""What the Hub knows of models, read within a deadline and cached: a plan must not wait for it."""

import asyncio
import difflib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.sizing.known_model import HubFacts
from inference_endpoints.engines.model_config import ModelConfig, NotComputable
from inference_endpoints.errors import Forbidden, InferenceEndpointError, NotFound, Unauthorized
from inference_endpoints.transport.backend import LOCAL

DEADLINE_S = 3.0
"""Longest time that a call waits for the Hub."""
MAX_AGE_S, MAX_SILENCE_AGE_S = 600.0, 60.0
"""How long facts are kept, and how long the Hub is left alone after it did not answer."""
MAX_MODELS = 64
"""Models whose facts are kept."""
MAX_NEAR = 3
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

Result = TypeVar("Result")


@dataclass
class HubReader:
    """Facts of models on the Hub. `now` returns seconds."""

    client: AsyncEndpointsClient
    now: Callable[[], float] = time.monotonic
    deadline: float = DEADLINE_S
    _cached: OrderedDict[tuple[str, str | None], tuple[float, HubFacts]] = field(
        default_factory=OrderedDict, repr=False
    )

    async def read(self, repository: str, revision: str | None = None) -> HubFacts:
        """What the Hub knows of a model now. It never raises for the Hub: what it does not answer is unknown."""
        if not _REPOSITORY.fullmatch(repository):
            return HubFacts(config=NotComputable("its files are not on the Hub"))
        key = repository, revision
        cached = self._cached.get(key)
        if cached is not None and self.now() < cached[0]:
            return cached[1]
        try:
            async with asyncio.timeout(self.deadline):
                facts = await self._read(repository, revision)
        except TimeoutError:
            facts = HubFacts(config=NotComputable("the Hub did not answer in time"))
        self._cached[key] = self.now() + (MAX_SILENCE_AGE_S if facts.exists is None else MAX_AGE_S), facts
        while len(self._cached) > MAX_MODELS:
            self._cached.popitem(last=False)
        return facts

    async def _read(self, repository: str, revision: str | None) -> HubFacts:
        info, config = await asyncio.gather(
            _result_or_error(self.client.model(repository)),
            _result_or_error(self.client.model_config(repository, revision)),
        )
        facts = HubFacts(
            info=None if isinstance(info, InferenceEndpointError) else info,
            config=_unread(config) if isinstance(config, InferenceEndpointError) else config,
            exists=None if isinstance(info, InferenceEndpointError) else True,
            readable=_is_readable(config),
        )
        # An embedded control plane knows the models of its catalogue alone.
        if isinstance(info, NotFound) and self.client.backend.name != LOCAL:
            return replace(facts, exists=False, near=await self._find_near(repository))
        return facts

    async def _find_near(self, repository: str) -> tuple[str, ...]:
        """Models with similar names: of the same owner, or with this name of another."""
        owner, _, name = repository.partition("/")
        found = await asyncio.gather(
            _result_or_error(self.client.models(author=owner)),
            _result_or_error(self.client.models(search=name, limit=20)),
        )
        pages = [page for page in found if not isinstance(page, InferenceEndpointError)]
        names = {info.id.lower(): info.id for page in pages for info in page if _REPOSITORY.fullmatch(info.id)}
        return tuple(names[near] for near in difflib.get_close_matches(repository.lower(), names, n=MAX_NEAR))


async def _result_or_error(answer: Awaitable[Result]) -> Result | InferenceEndpointError:
    try:
        return await answer
    except InferenceEndpointError as error:
        return error


def _unread(error: InferenceEndpointError) -> NotComputable:
    if isinstance(error, NotFound):
        return NotComputable("it has no config.json that can be read")
    if isinstance(error, (Forbidden, Unauthorized)):
        return NotComputable("the token of this server may not read its config.json")
    return NotComputable("the Hub did not answer for its config.json")


def _is_readable(config: ModelConfig | InferenceEndpointError) -> bool | None:
    if isinstance(config, (Forbidden, Unauthorized)):
        return False
    return None if isinstance(config, InferenceEndpointError) else True
