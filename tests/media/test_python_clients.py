"""Our Python clients with images of Pillow and with real models of sounds and images, against huggingface_hub's."""

import asyncio
import io
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from PIL import Image
from tests.inference_endpoints.hub_surface.plain_data import plain
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream, listening

from inference_endpoints import AsyncInferenceClient, AsyncInferenceEndpoint, EndpointsClient, InferenceEndpoint, local
from inference_endpoints.inference.hub_client.media_files import UnreadableImage
from inference_endpoints.inference.tasks.outputs import Media

pytestmark = pytest.mark.anyio

CLOCK = Path(__file__).with_name("clock.png")


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[Upstream]:
    async with listening() as upstream:
        yield upstream


def clients_of(url: str, token: str) -> tuple[Any, Any, Any]:
    """huggingface_hub's client of an address, and ours, blocking and awaited."""
    raw = {"name": "media", "status": {"state": "running", "url": url, "readyReplica": 1}}
    api = EndpointsClient(local(url, token))
    blocking = InferenceEndpoint.from_raw(raw, "acme", api=api).client
    return (
        huggingface_hub.InferenceClient(model=url, token=token),
        blocking,
        AsyncInferenceEndpoint.from_raw(raw, "acme", api=api).async_client,
    )


async def each(clients: tuple[Any, Any, Any], method: str, *arguments: Any, **options: Any) -> list[Any]:
    """What all clients return for the same call."""
    calls: list[Callable[..., Any]] = [getattr(client, method) for client in clients]
    awaited = calls.pop()
    returned = [await asyncio.to_thread(call, *arguments, **options) for call in calls]
    return [*returned, await awaited(*arguments, **options)]


def drawn(colour: str) -> Image.Image:
    return Image.new("RGB", (4, 3), colour)


def png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, format="PNG")
    return written.getvalue()


async def test_images_go_in_and_come_out_as_pillow_has_them(upstream: Upstream) -> None:
    made = png(drawn("red"))
    for path in ("/", ""):
        upstream.serves(path, Answer(body=made, headers={"content-type": "image/png"}))
    clients = clients_of(f"{upstream.url}/serve/chat", TOKEN)
    for image in await each(clients, "text_to_image", "a red square", width=4, height=3, extra_body={"own": 1}):
        assert (image.size, image.format, image.tobytes()) == ((4, 3), "PNG", drawn("red").tobytes())
    sent = [seen.json for seen in upstream.seen]
    assert sent[0] == sent[1] == sent[2]
    ours: AsyncInferenceClient = clients[2]
    changed = await ours.image_to_image(drawn("blue"), "red")
    assert changed.tobytes() == drawn("red").tobytes()
    expected = {"inputs": b64encode(png(drawn("blue"))).decode(), "parameters": {"prompt": "red"}}
    assert upstream.seen[-1].json == expected
    with Image.open(io.BytesIO(png(drawn("blue")))) as opened:
        await ours.image_to_image(opened)
    assert upstream.seen[-1].content == png(drawn("blue"))


async def test_masks_are_images_too(upstream: Upstream) -> None:
    mask = b64encode(png(Image.new("L", (4, 3), 255))).decode()
    for path in ("/", ""):
        upstream.serves(path, Answer(body=[{"label": "sky", "score": 0.5, "mask": mask}]))
    clients = clients_of(f"{upstream.url}/serve/chat", TOKEN)
    for (segment,) in await each(clients, "image_segmentation", CLOCK, threshold=0.5):
        assert (segment.label, segment["score"]) == ("sky", 0.5)
        assert (segment.mask.mode, segment.mask.size) == ("L", (4, 3))
    sent = [seen.json for seen in upstream.seen]
    assert sent[0] == sent[1] == sent[2]


async def test_an_image_that_pillow_cannot_read_is_not_lost(upstream: Upstream) -> None:
    broken = b"\x89PNG\r\n\x1a\n"
    upstream.serves("/", Answer(body=broken, headers={"content-type": "image/png"}))
    *_, ours = clients_of(f"{upstream.url}/serve/chat", TOKEN)
    with pytest.raises(UnreadableImage) as caught:
        await ours.text_to_image("a cat")
    assert caught.value.media == Media(broken, "image/png")


@pytest.mark.models
async def test_real_models_of_images_and_sounds_answer_all_clients(
    naming: Any, hearing: Any, speaking: Any, speech: bytes
) -> None:
    named = await each(clients_of(naming.url, naming.secret), "image_classification", CLOCK, top_k=3)
    assert plain(named[0]) == plain(named[1]) == plain(named[2])
    with Image.open(CLOCK) as clock:
        (again,) = [await clients_of(naming.url, naming.secret)[2].image_classification(clock, top_k=1)]
    assert again[0].label in {label.label for label in named[0]}

    heard = await each(clients_of(hearing.url, hearing.secret), "automatic_speech_recognition", speech)
    assert [each.text for each in heard] == ["The weather is nice today."] * 3
    timed = {"extra_body": {"return_timestamps": True}}
    heard = await each(clients_of(hearing.url, hearing.secret), "automatic_speech_recognition", speech, **timed)
    assert plain(heard[0].chunks) == plain(heard[1].chunks) == plain(heard[2].chunks)
    spoken = await each(clients_of(speaking.url, speaking.secret), "text_to_speech", "Good day.")
    assert spoken[0][:4] == spoken[1][:4] == spoken[2][:4] == b"RIFF"
