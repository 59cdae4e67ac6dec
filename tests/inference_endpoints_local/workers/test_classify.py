"""The classification worker with its real model: which language is this?"""

from typing import Any

import pytest
from huggingface_hub import InferenceClient

pytestmark = pytest.mark.models


def test_the_language_of_a_text_is_its_first_label(language_worker: Any) -> None:
    hub = InferenceClient(model=language_worker.url, token=language_worker.secret)
    for text, language in (("Où est la bibliothèque ?", "fr"), ("Wo ist\ndie Bibliothek?", "de")):
        first, *others = hub.text_classification(text)
        assert first.label == language
        assert 1 >= first.score > max((other.score for other in others), default=0)


def test_each_text_of_a_list_has_as_many_labels_as_requested(language_worker: Any) -> None:
    body = {"inputs": ["Good morning", "Buenos días"], "parameters": {"top_k": 2}}
    status, answer = language_worker.post("/predict", body)
    assert (status, [len(labels) for labels in answer]) == (200, [2, 2])


@pytest.mark.parametrize("body", [{}, {"inputs": ""}, {"inputs": "a", "parameters": {"top_k": 0}}])
def test_bad_input_is_refused(language_worker: Any, body: dict[str, Any]) -> None:
    assert language_worker.post("/", body)[0] == 422
