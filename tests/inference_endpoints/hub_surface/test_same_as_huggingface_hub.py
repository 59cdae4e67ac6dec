"""The same call by huggingface_hub's client and by ours, blocking and awaited: what is sent, and what comes back."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import huggingface_hub
import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle, client_of
from tests.inference_endpoints.hub_surface.plain_data import plain
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream

pytestmark = pytest.mark.anyio

PNG, FLAC = b"\x89PNG\r\n\x1a\n", b"fLaC"
FLAC64 = b64encode(FLAC).decode()
SCORED = [{"label": "A", "score": 0.75}, {"label": "B", "score": 0.25}]
FOUND = {"answer": "Paris", "score": 0.75, "start": 4, "end": 9}
ENTITY = {"entity_group": "PER", "score": 0.75, "word": "Ada", "start": 0, "end": 3}
BOX = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}
TOKEN_ROWS = [{"id": 5, "text": " on", "logprob": -0.5, "special": False}]
DETAILS = {"finish_reason": "length", "generated_tokens": 1, "seed": None, "prefill": [], "tokens": TOKEN_ROWS}

Call = tuple[str, tuple[Any, ...], dict[str, Any], Any]
CALLS: list[Call] = [
    # Method, its arguments, and what the engine answers.
    ("text_generation", ("once",), {"max_new_tokens": 5, "stop": ["."], "seed": 1}, [{"generated_text": "upon"}]),
    ("text_generation", ("once",), {"do_sample": True, "top_k": 5, "typical_p": 0.5}, {"generated_text": "upon"}),
    ("text_generation", ("once",), {"details": True}, [{"generated_text": " on", "details": DETAILS}]),
    ("feature_extraction", ("a",), {"normalize": True, "prompt_name": "q"}, [[1, 2]]),
    ("feature_extraction", (["a", "b"],), {"truncation_direction": "left"}, [[1, 2], [3, 4]]),
    ("sentence_similarity", ("a", ["b", "c"]), {}, [0.5, 1.0]),
    ("text_classification", ("a",), {"top_k": 2, "function_to_apply": "softmax"}, [SCORED]),
    ("zero_shot_classification", ("a", ["A", "B"]), {"multi_label": True}, SCORED),
    ("zero_shot_classification", ("a", ["A", "B"]), {"hypothesis_template": "It is {}."}, SCORED),
    ("token_classification", ("a",), {"aggregation_strategy": "simple", "stride": 1}, [ENTITY]),
    ("fill_mask", ("a",), {"targets": ["b"]}, [{"token_str": "b", "token": 7, "score": 0.75, "sequence": "b"}]),
    ("summarization", ("a",), {"truncation": "only_first"}, [{"summary_text": "b"}]),
    ("translation", ("a",), {"src_lang": "en", "tgt_lang": "de"}, [{"translation_text": "b"}]),
    ("question_answering", ("why", "because"), {"top_k": 1, "align_to_words": False}, FOUND),
    ("question_answering", ("why", "because"), {"top_k": 2}, [FOUND, FOUND | {"score": 0.25}]),
    (
        "table_question_answering",
        ({"a": ["1"]}, "what"),
        {"padding": "longest"},
        {"answer": "1", "cells": ["1"], "coordinates": [[0, 0]], "aggregator": "NONE"},
    ),
    ("tabular_classification", ({"a": ["1", "2"]},), {}, ["x", "y"]),
    ("automatic_speech_recognition", (FLAC,), {}, {"text": "hello"}),
    (
        "automatic_speech_recognition",
        (FLAC,),
        {"extra_body": {"return_timestamps": True}},
        {"text": "hello", "language": "en", "chunks": [{"text": "hello", "timestamp": [0.0, 1.5], "speaker": 1}]},
    ),
    ("audio_classification", (FLAC,), {}, SCORED),
    ("audio_to_audio", (FLAC,), {}, [{"label": "voice", "blob": FLAC64, "content-type": "audio/flac"}]),
    ("text_to_speech", ("hello",), {"temperature": 0.5, "extra_body": {"voice": "af"}}, FLAC),
    ("image_classification", (PNG,), {"top_k": 2}, SCORED),
    ("zero_shot_image_classification", (PNG, ["A", "B"]), {"hypothesis_template": "{}"}, SCORED),
    ("object_detection", (PNG,), {"threshold": 0.5}, [{"label": "A", "score": 0.5, "box": BOX, "track": 3}]),
    ("object_detection", (PNG,), {}, []),
    ("image_to_text", (PNG,), {}, [{"generated_text": "a cat"}]),
    ("visual_question_answering", (PNG, "which"), {"top_k": 1}, [{"answer": "cat", "score": 0.75, "token": 7}]),
    ("document_question_answering", (PNG, "which"), {"lang": "en"}, [FOUND]),
]

OTHER_BODIES: dict[str, Any] = {
    # Theirs has the image twice and the question beside it; the Inference Toolkit reads what `inputs` has.
    "visual_question_answering": {
        "inputs": {"question": "which", "image": b64encode(PNG).decode()},
        "parameters": {"top_k": 1},
    },
}


@pytest.mark.parametrize(("method", "arguments", "options", "answered"), CALLS)
async def test_a_task_is_sent_and_read_as_by_huggingface_hub(
    call: CallStyle, default_upstream: Upstream, method: str, arguments: Any, options: Any, answered: Any
) -> None:
    for path in ("/serve/chat", "/serve/chat/"):  # theirs has no slash at the end
        default_upstream.answers("POST", path, Answer(body=answered))
    ours = client_of(call, default_upstream)
    theirs = huggingface_hub.InferenceClient(model=ours.model, token=TOKEN)
    returned = await call(getattr(ours, method), *arguments, **options)
    assert plain(returned) == plain(await asyncio.to_thread(getattr(theirs, method), *arguments, **options))
    of_ours, of_theirs = default_upstream.seen
    if method in OTHER_BODIES:
        assert of_ours.json == OTHER_BODIES[method]
    else:
        assert body(of_ours.content) == body(of_theirs.content)
    assert of_ours.headers["authorization"] == of_theirs.headers["authorization"]


def body(content: bytes) -> Any:
    """JSON without null members, or a file as it is."""
    if not content.startswith(b"{"):
        return content
    return {name: value for name, value in json.loads(content).items() if value is not None}
