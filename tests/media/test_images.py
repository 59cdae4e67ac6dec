"""Images: what is in a drawing, by huggingface_hub's client and as raw requests."""

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient

pytestmark = pytest.mark.models

CLOCK = Path(__file__).with_name("clock.png")


def test_a_drawn_clock_is_named(naming: Any) -> None:
    best, second, *_ = InferenceClient(model=naming.url, token=naming.secret).image_classification(CLOCK)
    assert {best.label, second.label} == {"wall clock", "analog clock"}
    assert best.score > second.score > 0.2


def test_scores_are_probabilities_of_as_many_labels_as_asked_for(naming: Any) -> None:
    hub = InferenceClient(model=naming.url, token=naming.secret)
    everything = hub.image_classification(CLOCK, top_k=1000)
    assert len(everything) == 1000
    assert sum(label.score for label in everything) == pytest.approx(1, abs=1e-3)
    assert len(hub.image_classification(CLOCK, top_k=2)) == 2


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content", [b"no image", png(60_000, 60_000), png(9, 9), b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_or_too_large_a_one_is_refused(naming: Any, content: bytes) -> None:
    status, answer = naming.post("/", content)
    assert status in (400, 422)
    assert answer["error"]


def test_a_parameter_that_is_not_known_is_refused_by_name(naming: Any) -> None:
    status, answer = naming.post("/", {"inputs": "aGVsbG8=", "parameters": {"colour": 1}})
    assert (status, "`parameters.colour`" in answer["error"]) == (422, True)
