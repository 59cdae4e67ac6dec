"""Files as a program has them: bytes, paths, URLs, open files; and images out where Pillow is not installed."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle, client_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.service.scripted_upstream import DROPPED, SILENT, Answer, Upstream

from inference_endpoints import BadRequest, InferenceEndpointTimeoutError, Unavailable
from inference_endpoints.inference.tasks.outputs import Media

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n"
PNG64 = "iVBORw0KGgo="
SCORED = [{"label": "A", "score": 0.75}]


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)


async def test_a_file_is_read_from_whatever_has_it(call: CallStyle, default_upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    default_upstream.serves("/", Answer(body=SCORED))
    client = client_of(call, default_upstream)
    with path.open("rb") as file:
        given: list[Any] = [
            *(PNG, bytearray(PNG), memoryview(PNG), path, str(path)),
            *(f"data:image/png;base64,{PNG64}", io.BytesIO(PNG), file),
        ]
        for image in given:
            assert (await call(client.image_classification, image))[0].label == "A"
    assert [seen.content for seen in default_upstream.seen] == [PNG] * len(given)
    assert {seen.headers["content-type"] for seen in default_upstream.seen} == {"image/png"}


async def test_a_url_is_fetched_behind_redirects_and_without_the_token(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.answers("GET", "/moved.png", Answer(302, headers={"location": "/cat.png"}))
    default_upstream.answers("GET", "/cat.png", Answer(body=PNG))
    default_upstream.serves("/", Answer(body=SCORED))
    client = client_of(call, default_upstream)
    assert (await call(client.image_classification, f"{default_upstream.url}/moved.png", top_k=1))[0].label == "A"
    *fetched, called = default_upstream.seen
    assert [seen.path for seen in fetched] == ["/moved.png", "/cat.png"]
    assert not any("authorization" in seen.headers or "cookie" in seen.headers for seen in fetched)
    assert called.json == {"inputs": PNG64, "parameters": {"top_k": 1}}


async def test_a_file_that_cannot_be_read_is_an_error_of_ours_and_nothing_is_sent(
    call: CallStyle, default_upstream: Upstream, tmp_path: Path
) -> None:
    closed = io.BytesIO(PNG)
    closed.close()
    url = default_upstream.url
    default_upstream.answers("GET", "/dropped.png", DROPPED)
    wrong: list[tuple[Any, type[Exception], str]] = [
        (tmp_path / "none.png", BadRequest, "cannot be read at its path"),
        (str(tmp_path), BadRequest, "cannot be read at its path"),
        ("a\0b", BadRequest, "cannot be read at its path"),
        ("data:image/png,text", BadRequest, "not in base64"),
        (io.StringIO("text"), BadRequest, "open as text"),
        (closed, BadRequest, "open file cannot be read"),
        (7, BadRequest, "type that is not known"),
        (b"", BadRequest, "image: "),
        (f"{url}/none.png", Unavailable, "its host answered 404"),
        (f"{url}/dropped.png", Unavailable, "cannot be reached"),
        ("http://cat.example:port/a.png", BadRequest, "URL is not valid"),
    ]
    client = client_of(call, default_upstream)
    for image, kind, said in wrong:
        with pytest.raises(kind, match=said):
            await call(client.object_detection, image)
    assert default_upstream.calls() == []


async def test_a_file_that_is_too_large_is_not_read_to_its_end(
    call: CallStyle, default_upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(call, default_upstream)
    default_upstream.answers("GET", "/announced.png", Answer(headers={"content-length": str(256 * 1024**2 + 1)}))
    with pytest.raises(BadRequest, match="The file is larger than 256 MiB"):
        await call(client.image_to_text, f"{default_upstream.url}/announced.png")
    monkeypatch.setattr("inference_endpoints.inference.hub_client.media_files.MAX_FILE_BYTES", 2 * 1024**2)
    endless = Answer(parts=[bytes(1024**2)] * 3, end="silent")
    default_upstream.answers("GET", "/endless.png", endless)
    with pytest.raises(BadRequest, match="The file is larger than 2 MiB"):
        await call(client.image_to_text, f"{default_upstream.url}/endless.png", timeout=HANG_TIMEOUT_S)
    assert default_upstream.calls() == []


async def test_the_time_of_a_call_holds_for_its_file_too(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/slow.png", SILENT)
    client = client_of(call, default_upstream)
    with pytest.raises(InferenceEndpointTimeoutError, match=r"The file was not read within 0\.2 s"):
        await call(client.image_to_text, f"{default_upstream.url}/slow.png", timeout=0.2)


@pytest.mark.usefixtures("without_pillow")
async def test_an_image_is_a_file_where_pillow_is_not_installed(
    call: CallStyle, default_upstream: Upstream, tmp_path: Path
) -> None:
    default_upstream.serves("/", Answer(body=PNG, headers={"content-type": "image/png"}))
    client = client_of(call, default_upstream)
    for image in (await call(client.text_to_image, "a cat"), await call(client.image_to_image, PNG, "a hat")):
        assert image == Media(PNG, "image/png")
        image.save(tmp_path / "made.png")
        assert (tmp_path / "made.png").read_bytes() == PNG
    assert [seen.headers["accept"] for seen in default_upstream.seen] == ["image/png"] * 2
    default_upstream.serves("/", Answer(body=[{"label": "cat", "score": 0.5, "mask": PNG64}, {"label": "sky"}]))
    cat, sky = await call(client.image_segmentation, PNG)
    assert (cat.label, cat["mask"], sky.mask) == ("cat", Media(PNG, "image/png"), None)


async def test_embeddings_are_plain_lists_where_numpy_is_not_installed(
    call: CallStyle, default_upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    default_upstream.serves("/", Answer(body=[[1, 2], [3, 4]]))
    client = client_of(call, default_upstream)
    assert await call(client.feature_extraction, ["a", "b"]) == [[1.0, 2.0], [3.0, 4.0]]


async def test_vectors_that_are_no_table_stay_what_they_are(call: CallStyle, default_upstream: Upstream) -> None:
    client = client_of(call, default_upstream)
    sparse = [{"index": 5, "value": 0.5}]
    default_upstream.serves(
        "/", Answer(body=[sparse, sparse]), Answer(body=[[[1, 2], [3, 4]], [[5, 6], [7, 8], [9, 0]]])
    )
    assert await call(client.feature_extraction, ["a", "b"]) == [{5: 0.5}, {5: 0.5}]
    tokens = await call(client.feature_extraction, ["a", "b"])
    assert [len(each) for each in tokens] == [2, 3]
