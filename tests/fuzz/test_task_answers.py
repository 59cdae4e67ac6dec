"""Answers of engines as none should send them: each is read as outputs of its task, or is known for no answer of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.test_service_answers import ANYTHING

from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.media_facts import read_media_facts
from inference_endpoints.inference.tasks.readers import NOT_OF_THIS_TASK
from inference_endpoints.inference.tasks.table import TASKS
from inference_endpoints_mcp.tools.inference.shown_output import show_outputs, show_response

MEMBERS = st.sampled_from(
    [
        *("generated_text", "text", "choices", "message", "content", "data", "embedding", "embeddings", "similarities"),
        *("label", "score", "labels", "scores", "results", "index", "relevance_score", "value", "answer", "cells"),
        *("coordinates", "word", "entity_group", "token_str", "chunks", "timestamp", "segments", "start", "end", "box"),
        *("xmin", "ymin", "xmax", "ymax", "mask", "image", "audio", "sampling_rate", "b64_json", "probs", "document"),
    ]
)
NUMBERS = st.integers() | st.floats() | st.just(10**400)
TEXTS = st.sampled_from(["AAAA", "AAA=", "data:image/png;base64,iVBORw0KGgo=", "fLaC"])
NEAR = st.recursive(
    ANYTHING | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
@given(answer=NEAR, count=st.integers(1, 3))
def test_an_answer_is_read_or_is_none_of_the_task(task: Any, answer: Any, count: int) -> None:
    try:
        outputs = task.read(answer, count)
    except NOT_OF_THIS_TASK:
        return
    assert len(outputs) == count
    assert isinstance(show_outputs(task, outputs).text, str)


@given(answer=NEAR)
def test_any_response_can_be_shown(answer: Any) -> None:
    content = json.dumps(answer, default=str).encode("utf-8", "replace")
    response = InferenceResponse(200, "application/json", content, 0.1, woke=False)
    assert isinstance(show_response(response).text, str)


MAGIC = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF....WEBP", b"RIFF....WAVE", b"fLaC", b"OggS"]


@given(start=st.sampled_from(MAGIC), rest=st.binary())
def test_the_header_of_any_file_can_be_read(start: bytes, rest: bytes) -> None:
    read_media_facts(start + rest)
