"""One output shape for each task, whatever the engine answered. Forms are those of the engines' own documents."""

import struct
from base64 import b64encode
from typing import Any

import pytest

from inference_endpoints.inference.tasks.outputs import (
    Answer,
    BoundingBox,
    DetectedObject,
    Entity,
    Label,
    MaskCandidate,
    Media,
    Rank,
    Segment,
    TableAnswer,
    Transcript,
    TranscriptChunk,
)
from inference_endpoints.inference.tasks.readers import NOT_OF_THIS_TASK
from inference_endpoints.inference.tasks.table import TASKS

PNG, FLAC = b"\x89PNG\r\n\x1a\n", b"fLaC"
PNG64, FLAC64 = b64encode(PNG).decode(), b64encode(FLAC).decode()
SURE, UNSURE = {"label": "x", "score": 0.75}, {"label": "y", "score": 0.25}
LABELS = [Label("x", 0.75), Label("y", 0.25)]
FOUND = {"answer": "Paris", "score": 0.75, "start": 4, "end": 9}
CAT: dict[str, Any] = {"label": "cat", "score": 0.75}
BOX = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}

ONE: dict[str, tuple[Any, list[Any]]] = {
    # Task: its one output, and the answers that mean it.
    "text-generation": (
        "on",
        [
            {"generated_text": "on"},
            [{"generated_text": "on"}],
            [[{"generated_text": "on"}]],
            {"choices": [{"text": "on"}]},
            {"choices": [{"message": {"role": "assistant", "content": "on"}}]},
            {"text": "on", "meta_info": {}},
            {"content": "on", "stop": True},
        ],
    ),
    "feature-extraction": (
        [1.0, 2.0],
        [
            [[1, 2]],
            [1, 2],
            {"embeddings": [[1, 2]]},
            {"embedding": [1, 2]},
            {"data": [{"index": 0, "embedding": [1, 2]}]},
            {"data": [{"embedding": b64encode(struct.pack("<2f", 1, 2)).decode()}]},
            [{"index": 0, "embedding": [[1, 2]]}],
        ],
    ),
    "sentence-similarity": ([0.5, 0.25], [[0.5, 0.25], {"similarities": [[0.5, 0.25]]}, {"similarities": [0.5, 0.25]}]),
    "text-ranking": (
        [Rank(1, 0.75), Rank(0, 0.25)],
        [
            [{"index": 0, "score": 0.25}, {"index": 1, "score": 0.75}],
            {"scores": [{"corpus_id": 1, "score": 0.75}, {"index": 0, "score": 0.25}]},
            {"results": [{"index": 0, "relevance_score": 0.25}, {"index": 1, "relevance_score": 0.75}]},
            {"scores": [0.25, 0.75]},
        ],
    ),
    "text-classification": (
        LABELS,
        [
            [[UNSURE, SURE]],
            [SURE, UNSURE],
            {"sequence": "a", "labels": ["x", "y"], "scores": [0.75, 0.25]},
            {"results": [SURE, UNSURE]},
        ],
    ),
    "zero-shot-classification": (LABELS, [[SURE, UNSURE], [{"labels": ["y", "x"], "scores": [0.25, 0.75]}]]),
    "audio-classification": (LABELS, [[SURE, UNSURE], {"results": [SURE, UNSURE]}]),
    "token-classification": (
        [Entity("Ada", 0.75, 0, 3, "PER")],
        [
            [{"entity_group": "PER", "score": 0.75, "word": "Ada", "start": 0, "end": 3}],
            [[{"entity_group": "PER", "score": 0.75, "word": "Ada", "start": 0, "end": 3}]],
            {"entities": [{"entity_group": "PER", "score": 0.75, "word": "Ada", "start": 0, "end": 3}]},
        ],
    ),
    "summarization": ("short", [[{"summary_text": "short"}], {"summary_text": "short"}, [{"generated_text": "short"}]]),
    "translation": ("kurz", [[{"translation_text": "kurz"}], {"translation_text": "kurz"}]),
    "fill-mask": (
        [MaskCandidate("b", 0.75, 7, "a b")],
        [[{"token_str": "b", "score": 0.75, "token": 7, "sequence": "a b"}]],
    ),
    "question-answering": (
        [Answer("Paris", 0.75, 4, 9)],
        [FOUND, [FOUND]],
    ),
    "table-question-answering": (
        TableAnswer("36", ["36"], [[0, 1]], "NONE"),
        [{"answer": "36", "cells": ["36"], "coordinates": [[0, 1]], "aggregator": "NONE"}],
    ),
    "automatic-speech-recognition": (
        Transcript("it rains", [TranscriptChunk("it rains", (0.0, 1.5))]),
        [
            {"text": " it rains", "chunks": [{"text": "it rains", "timestamp": [0.0, 1.5]}]},
            {"text": "it rains", "segments": [{"id": 0, "start": 0, "end": 1.5, "text": "it rains"}]},
        ],
    ),
    "object-detection": (
        [DetectedObject("cat", 0.75, BoundingBox(1, 2, 3, 4))],
        [[CAT | {"box": BOX}], {"results": [CAT | {"box": [1, 2, 3, 4]}]}],
    ),
    "image-segmentation": (
        [Segment("cat", 0.75, Media(PNG, "image/png"))],
        [[CAT | {"mask": PNG64}], {"results": [CAT | {"mask": PNG64}]}],
    ),
    "text-to-image": (
        Media(PNG, "image/png"),
        [
            {"image": PNG64},
            [{"image": PNG64}],
            {"images": [PNG64]},
            {"data": [{"b64_json": PNG64}], "created": 1},
            {"data": [{"url": f"data:image/png;base64,{PNG64}"}]},
            {"output": {"image": PNG64}},
            PNG64,
        ],
    ),
    "text-to-speech": (Media(FLAC, "audio/flac"), [{"audio": FLAC64}, [{"blob": FLAC64, "label": "speech"}]]),
}  # fmt: skip
CASES = [(task, answer, output) for task, (output, answers) in ONE.items() for answer in answers]


@pytest.mark.parametrize(("task", "answer", "output"), CASES)
def test_each_form_of_an_answer_is_read_as_the_output_of_the_task(task: str, answer: Any, output: Any) -> None:
    assert TASKS[task].read(answer, 1) == [output]


def test_token_vectors_and_sparse_vectors_keep_their_form() -> None:
    read = TASKS["feature-extraction"].read
    assert read([[[1, 2], [3, 4]]], 1) == [[[1.0, 2.0], [3.0, 4.0]]]
    assert read([[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]], 2)[1] == [[5.0, 6.0], [7.0, 8.0]]
    assert read([[{"index": 7, "value": 0.5}]], 1) == [{7: 0.5}]


def test_sound_as_samples_becomes_a_wave_file() -> None:
    (sound,) = TASKS["text-to-speech"].read({"audio": [[0.0, 1.0] * 50], "sampling_rate": 8_000}, 1)
    assert (sound.media_type, sound.content[:4], len(sound.content)) == ("audio/wav", b"RIFF", 44 + 200)


MANY: list[tuple[str, Any, list[Any]]] = [
    ("text-classification", [[SURE], [UNSURE]], [[LABELS[0]], [LABELS[1]]]),
    ("text-classification", [SURE, UNSURE], [[LABELS[0]], [LABELS[1]]]),
    (
        "text-classification",
        {"data": [{"index": 1, "label": "y", "probs": [0.25]}, {"index": 0, "label": "x", "probs": [0.25, 0.75]}]},
        [[LABELS[0]], [LABELS[1]]],
    ),
    ("text-generation", {"choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]}, ["a", "b"]),
    ("text-generation", [[{"generated_text": "a"}], [{"generated_text": "b"}]], ["a", "b"]),
    ("text-generation", {"choices": [{"index": n, "text": str(n)} for n in range(4)]}, [["0", "1"], ["2", "3"]]),
    ("feature-extraction", {"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}, [[1.0], [2.0]]),
    ("fill-mask", [[{"token_str": "a"}], [{"token_str": "b"}]], [[MaskCandidate("a")], [MaskCandidate("b")]]),
]


@pytest.mark.parametrize(("task", "answer", "outputs"), MANY)
def test_the_answers_to_many_inputs_are_in_their_order(task: str, answer: Any, outputs: list[Any]) -> None:
    assert TASKS[task].read(answer, 2) == outputs


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize(
    "answer", [{}, 7, None, [], [[]], "text", {"error": "no"}, [{"label": 1}], [True], {"data": []}]
)
def test_an_answer_of_another_task_is_none_of_this(task: str, answer: Any) -> None:
    for count in (1, 2):
        try:
            outputs = TASKS[task].read(answer, count)
        except NOT_OF_THIS_TASK:
            continue
        # An empty list is an answer: nothing was found.
        assert outputs in ([[]], [[], []])


@pytest.mark.parametrize("answer", ["", [""], [[]], {"data": [{"embedding": ""}]}, {"data": [{"embedding": []}]}])
def test_an_empty_vector_is_no_embedding(answer: Any) -> None:
    with pytest.raises(NOT_OF_THIS_TASK):
        TASKS["feature-extraction"].read(answer, 1)
