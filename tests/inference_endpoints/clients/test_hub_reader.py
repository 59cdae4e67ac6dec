"""What the Hub knows of a model: within a deadline, cached, and unknown where it does not answer."""

from dataclasses import replace

import pytest
from tests.support.service.scripted_upstream import SILENT, TOKEN, Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hub_reader import MAX_AGE_S, MAX_SILENCE_AGE_S, HubReader
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.transport.backend import HUGGING_FACE, local

pytestmark = pytest.mark.anyio

MODEL = "org/model"
PAGE, CONFIG = "/api/models/org/model", "/org/model/raw/main/config.json"


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def reader(upstream: Upstream, clock: Clock | None = None, deadline: float = 5.0) -> HubReader:
    client = AsyncEndpointsClient(replace(local(upstream.url, TOKEN), name=HUGGING_FACE))
    return HubReader(client, clock or Clock(), deadline)


async def test_facts_are_read_once_for_ten_minutes(upstream: Upstream) -> None:
    upstream.answers("GET", PAGE, Answer(body={"id": MODEL, "gated": False}))
    upstream.answers("GET", CONFIG, Answer(body={"model_type": "llama"}))
    clock = Clock()
    hub = reader(upstream, clock)
    facts = await hub.read(MODEL)
    assert (facts.exists, facts.readable) == (True, True)
    assert await hub.read(MODEL) is facts
    assert len(upstream.seen) == 2
    clock.seconds = MAX_AGE_S
    await hub.read(MODEL)
    assert len(upstream.seen) == 4


async def test_a_silent_hub_is_left_alone_for_a_minute(upstream: Upstream) -> None:
    upstream.answers("GET", PAGE, SILENT)
    upstream.answers("GET", CONFIG, SILENT)
    clock = Clock()
    hub = reader(upstream, clock, deadline=0.05)
    facts = await hub.read(MODEL)
    assert (facts.exists, facts.config) == (None, NotComputable("the Hub did not answer in time"))
    seen = len(upstream.seen)
    assert await hub.read(MODEL) is facts
    assert len(upstream.seen) == seen
    clock.seconds = MAX_SILENCE_AGE_S
    assert await hub.read(MODEL) is not facts


@pytest.mark.parametrize("body", [b"not json", b"[]", b"null", b'{"architectures": "x"}'])
async def test_a_configuration_that_is_none_is_unknown(upstream: Upstream, body: bytes) -> None:
    upstream.answers("GET", PAGE, Answer(body={"id": MODEL}))
    upstream.answers("GET", CONFIG, Answer(body=body, headers={"content-type": "text/plain"}))
    hub = reader(upstream, deadline=0.5)
    facts = await hub.read(MODEL)
    assert isinstance(facts.config, NotComputable)


async def test_names_that_are_not_of_the_hub_are_not_sent(upstream: Upstream) -> None:
    for name in ("/models/own.gguf", "gpt2", "a/b/c", "../etc/passwd", "file:///a", ""):
        assert (await reader(upstream).read(name)).config == NotComputable("its files are not on the Hub")
    assert upstream.seen == []
