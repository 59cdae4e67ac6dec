"""Images in a chat: SmolLM2 with a small projector, so that an image changes what it writes."""

import base64
import struct
import zlib
from typing import Any

import pytest
from openai import OpenAI

pytestmark = pytest.mark.models

RED, BLUE = (255, 0, 0), (0, 0, 255)


def png(colour: tuple[int, int, int], width: int = 28, height: int = 28, *, rows: int | None = None) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = (b"\0" + bytes(colour) * width) * (height if rows is None else rows)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)


def asked(*images: bytes, kind: str = "png") -> list[Any]:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{base64.b64encode(image).decode()}"}}
        for image in images
    ]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "What is this?"}]}]


def test_an_image_is_read_and_its_tokens_are_counted(seeing: Any) -> None:
    openai = OpenAI(base_url=f"{seeing.url}/v1", api_key=seeing.secret, max_retries=0)

    def answer(*images: bytes) -> tuple[str | None, int]:
        told = openai.chat.completions.create(
            model="own", messages=asked(*images), max_tokens=12, temperature=0, logprobs=True
        )
        assert told.usage
        assert told.choices[0].logprobs
        assert told.choices[0].logprobs.content
        first = told.choices[0].logprobs.content[0].logprob
        return f"{first:.4f}", told.usage.prompt_tokens

    none, red, blue, both = answer(), answer(png(RED)), answer(png(BLUE)), answer(png(RED), png(BLUE))
    assert [tokens - none[1] for _, tokens in (red, blue, both)] == [4, 4, 8]
    assert len({none[0], red[0], blue[0], both[0]}) == 4
    assert answer(png(RED)) == red


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (b"no image", "no whole PNG or JPEG image"),
        (b"GIF89a" + bytes(20), "no whole PNG or JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "no whole PNG or JPEG image"),
        (png(RED, 60_000, 60_000, rows=0), "60000 x 60000 pixels"),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\xff\xff\xff\xff" + bytes(20), "65535 x 65535 pixels"),
        (b"\xff\xd8\xff\xe0\x00", "no whole PNG or JPEG image"),
    ],
)
def test_what_is_no_image_or_too_large_a_one_is_refused_by_its_field(seeing: Any, image: bytes, says: str) -> None:
    status, answer = seeing.post("/v1/chat/completions", {"messages": asked(image)})
    assert (status, answer["error"]["param"]) == (400, "messages.0.content.0.image_url.url")
    assert says in answer["error"]["message"]


def test_the_task_answers_a_text_with_and_without_an_image(seeing: Any) -> None:
    parameters = {"max_new_tokens": 12}
    image = base64.b64encode(png(RED)).decode()

    def answer(inputs: Any) -> str:
        status, told = seeing.post("/", {"inputs": inputs, "parameters": parameters})
        assert status == 200, told
        return str(told[0]["generated_text"])

    openai = OpenAI(base_url=f"{seeing.url}/v1", api_key=seeing.secret, max_retries=0)
    chat = openai.chat.completions.create(model="own", messages=asked(png(RED)), max_tokens=12, temperature=0)
    assert answer({"text": "What is this?", "image": image}) == chat.choices[0].message.content
    assert answer({"text": "What is this?", "image": f"data:image/png;base64,{image}"}) == answer(
        {"text": "What is this?", "image": image}
    )
    assert answer("What is this?")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": {"image": "aaaa"}}, "`inputs`"),
        ({"inputs": {"text": "a", "image": "aaaa"}}, "`inputs.image`"),
        ({"inputs": {"text": "a", "image": 5}}, "`inputs.image`"),
        ({"inputs": "a", "stream": True}, "`stream`"),
        ({"inputs": "a", "parameters": {"colour": 1}}, "colour"),
    ],
)
def test_a_request_of_the_task_that_cannot_be_done_names_its_field(seeing: Any, body: Any, field: str) -> None:
    status, answer = seeing.post("/", body)
    assert (status, field in answer["error"]) == (422, True)


def test_an_image_that_is_damaged_is_refused(seeing: Any) -> None:
    status, answer = seeing.post("/v1/chat/completions", {"messages": asked(png(RED, rows=3)[:-30])})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_a_model_without_a_projector_refuses_an_image(chat_worker: Any) -> None:
    status, answer = chat_worker.post("/v1/chat/completions", {"messages": asked(png(RED))})
    assert (status, "takes text alone" in answer["error"]["message"]) == (422, True)
