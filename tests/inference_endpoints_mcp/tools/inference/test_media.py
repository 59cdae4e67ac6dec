"""Images and sounds through the tools: named by reference on the way in, content, resource and file on the way out."""

import json
import stat
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.types import AudioContent, BlobResourceContents, CallToolResult, ImageContent
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN
from tests.support.service.scripted_upstream import Answer, Upstream, events

from inference_endpoints.confined_files import ConfinedFolders
from inference_endpoints.inference.tasks.readers.media import wave_file
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.tools.media_access import MediaAccess

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "acme/chat"}


def png(width: int, height: int, padding: int = 0) -> bytes:
    """An image of one colour, with so many more bytes."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", head)
        + part(b"IDAT", rows)
        + part(b"tEXt", b"x" * padding)
        + part(b"IEND", b"")
    )


CAT = png(4, 3)
SPEECH = wave_file([0.0, 0.5] * 8_000, 8_000)
LABELS = Answer(body=[{"label": "cat", "score": 0.9}])

Serve = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture
def serve(upstream: Upstream) -> Serve:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    @asynccontextmanager
    async def served(**media: Any) -> AsyncIterator[Host]:
        options = ServerOptions(open_backend=open_backend, namespace="acme", media=MediaAccess(**media))
        async with serving(options) as host:
            yield host

    return served


async def blob(host: Host, uri: str) -> bytes:
    (found,) = (await host.client.read_resource(uri)).contents
    assert isinstance(found, BlobResourceContents)
    return b64decode(found.blob)


def facts_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=CAT, headers={"content-type": "image/png"}),
        Answer(body={"images": [b64encode(CAT).decode()]}),
        Answer(body={"data": [{"b64_json": b64encode(CAT).decode()}]}),
    ],
)
async def test_an_image_comes_back_as_content_with_what_it_is(upstream: Upstream, serve: Serve, answer: Answer) -> None:
    upstream.runs("huggingface", task="text-to-image")
    upstream.serves("/", answer)
    async with serve() as host:
        result = await host.send("call_endpoint", **CHAT, text="a cat")
        _, image = result.content
        assert isinstance(image, ImageContent)
        assert (image.mime_type, b64decode(image.data)) == ("image/png", CAT)
        facts = facts_of(result)
        (file,) = facts["files"]
        assert (file["format"], file["size"], file["width"], file["height"]) == ("image/png", len(CAT), 4, 3)
        assert file["shown"] is True
        assert facts["output"].splitlines()[1] == f"{len(CAT)} bytes of image/png, 4 by 3 pixels"
        assert await blob(host, file["uri"]) == CAT
    assert upstream.calls()[0].headers["accept"] == "image/png"


async def test_speech_comes_back_as_audio_with_its_seconds(upstream: Upstream, serve: Serve) -> None:
    upstream.runs("huggingface", task="text-to-speech")
    upstream.serves("/", Answer(body=SPEECH, headers={"content-type": "audio/x-wav"}))
    async with serve() as host:
        result = await host.send("call_endpoint", **CHAT, text="It rains.")
    _, sound = result.content
    assert isinstance(sound, AudioContent)
    assert (sound.mime_type, b64decode(sound.data)) == ("audio/wav", SPEECH)
    assert facts_of(result)["files"][0]["seconds"] == 2.0


async def test_a_large_image_is_a_resource_and_a_file_where_the_operator_has_a_folder(
    upstream: Upstream, serve: Serve, tmp_path: Path
) -> None:
    large = png(4, 3, padding=600_000)
    upstream.runs("huggingface", task="text-to-image")
    upstream.serves("/", Answer(body=large, headers={"content-type": "image/png"}))
    async with serve(output_folder=tmp_path) as host:
        result = await host.send("call_endpoint", **CHAT, text="a cat")
        (file,) = facts_of(result)["files"]
        assert len(result.content) == 1
        assert file["shown"] is False
        assert await blob(host, file["uri"]) == large
    check_private_file(Path(file["path"]), tmp_path, large)


def check_private_file(path: Path, folder: Path, content: bytes) -> None:
    assert (path.parent, path.suffix, path.read_bytes()) == (folder, ".png", content)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_vectors_are_a_file_of_all_their_numbers(upstream: Upstream, serve: Serve, tmp_path: Path) -> None:
    upstream.runs("huggingface", task="feature-extraction")
    upstream.serves("/", Answer(body=[[0.125] * 384] * 2))
    async with serve(output_folder=tmp_path) as host:
        facts = await host.call("call_endpoint", **CHAT, texts=["a", "b"])
        (rest,) = facts["rest"]
        assert json.loads(await blob(host, rest["uri"])) == [[0.125] * 384] * 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]  # noqa: ASYNC240
    assert rest["path"].startswith(str(tmp_path))


async def test_masks_and_files_in_unknown_json_are_shown_too(upstream: Upstream, serve: Serve) -> None:
    upstream.runs("huggingface", task="image-segmentation")
    upstream.serves("/", Answer(body=[{"label": "cat", "score": 0.9, "mask": b64encode(CAT).decode()}]))
    uri = f"data:image/png;base64,{b64encode(CAT).decode()}"
    async with serve() as host:
        facts = facts_of(await host.send("call_endpoint", **CHAT, inputs=[{"image": uri}]))
        assert '"mask":"' in facts["output"]
        assert b64encode(CAT).decode() not in facts["output"]
        assert len(facts["files"]) == 1
        upstream.runs("huggingface", task="custom")
        upstream.serves("/", Answer(body={"picture": b64encode(png(4, 3, 300)).decode()}))
        facts = facts_of(await host.send("call_endpoint", **CHAT, text="a"))
        assert facts["files"][0]["width"] == 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "cat.png").write_bytes(CAT)
    (tmp_path / "media" / "speech.wav").write_bytes(SPEECH)
    (tmp_path / "media" / "secret.png").write_text("aws_secret_access_key = canary")
    (tmp_path / "outside.png").write_bytes(CAT)
    (tmp_path / "media" / "link.png").symlink_to(tmp_path / "outside.png")
    return tmp_path / "media"


async def test_a_file_is_sent_by_its_path_with_its_type(upstream: Upstream, serve: Serve, folder: Path) -> None:
    upstream.runs("huggingface", task="image-classification")
    upstream.serves("/", LABELS)
    async with serve(folders=ConfinedFolders.of([folder])) as host:
        for arguments in ({"inputs": [{"image": str(folder / "cat.png")}]}, {"text": str(folder / "cat.png")}):
            facts = await host.call("call_endpoint", **CHAT, **arguments)
            assert '"label":"cat"' in facts["output"]
        upstream.runs("huggingface", task="custom")
        await host.send("call_endpoint", **CHAT, inputs=[{"file": str(folder / "speech.wav")}])
    first, _, last = upstream.calls()
    assert (first.content, first.headers["content-type"]) == (CAT, "image/png")
    assert (last.content, last.headers["content-type"]) == (SPEECH, "audio/wav")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.png", "no such file"),
        ("link.png", "no such file"),
        ("../outside.png", "no such file"),
        ("secret.png", "other content by its first bytes"),
        ("speech.wav", "other content by its first bytes"),
    ],
)
async def test_no_other_file_is_sent(upstream: Upstream, serve: Serve, folder: Path, name: str, said: str) -> None:
    upstream.runs("huggingface", task="image-classification")
    async with serve(folders=ConfinedFolders.of([folder])) as host:
        arguments = {"inputs": [{"image": f"{folder}/{name}"}]}
        message = await host.refused("call_endpoint", "BAD_REQUEST", **CHAT, **arguments)
    assert said in message
    assert upstream.calls() == []


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("/etc/hostname", "REFUSED"),
        ("https://images.example/cat.png", "REFUSED"),
        ("http://169.254.169.254/latest", "BAD_REQUEST"),
        ("file:///etc/hostname", "BAD_REQUEST"),
        ("endpoint-output://0000", "BAD_REQUEST"),
        ("data:image/png;base64,!", "BAD_REQUEST"),
    ],
)
async def test_nothing_is_read_that_the_operator_did_not_allow(
    upstream: Upstream, serve: Serve, reference: str, code: str
) -> None:
    upstream.runs("huggingface", task="image-classification")
    async with serve() as host:
        await host.refused("call_endpoint", code, **CHAT, inputs=[{"image": reference}])
    assert upstream.calls() == []


async def test_what_one_endpoint_made_is_given_to_another_by_its_resource(upstream: Upstream, serve: Serve) -> None:
    upstream.runs("huggingface", task="text-to-speech")
    upstream.serves("/", Answer(body=SPEECH, headers={"content-type": "audio/wav"}))
    async with serve() as host:
        spoken = facts_of(await host.send("call_endpoint", **CHAT, text="It rains."))
        upstream.runs("huggingface", task="automatic-speech-recognition")
        upstream.serves("/", Answer(body={"text": "It rains."}))
        heard = await host.call("call_endpoint", **CHAT, inputs=[{"audio": spoken["files"][0]["uri"]}])
    assert "It rains." in heard["output"]
    assert upstream.calls()[1].content == SPEECH


async def test_images_and_sounds_in_messages_become_what_engines_take(
    upstream: Upstream, serve: Serve, folder: Path
) -> None:
    upstream.shows("running")
    upstream.serves(
        "/v1/chat/completions", events({"choices": [{"delta": {"content": "A cat."}, "finish_reason": "stop"}]})
    )
    image, sound = str(folder / "cat.png"), str(folder / "speech.wav")
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": image, "detail": "low"}},
        {"type": "image", "image": image},
        {"type": "audio", "audio": sound},
        {"type": "image_url", "image_url": {"url": "https://images.example/cat.png"}},
    ]
    async with serve(folders=ConfinedFolders.of([folder])) as host:
        await host.call("chat_with_endpoint", **CHAT, messages=[{"role": "user", "content": parts}])
    uri = f"data:image/png;base64,{b64encode(CAT).decode()}"
    assert upstream.calls()[0].json["messages"][0]["content"] == [
        parts[0],
        {"type": "image_url", "image_url": {"url": uri, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": uri}},
        {"type": "input_audio", "input_audio": {"data": b64encode(SPEECH).decode(), "format": "wav"}},
        parts[4],
    ]
