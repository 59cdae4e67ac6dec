"""A local chat model serves text generation in TGI's form, to huggingface_hub."""

import re
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

pytestmark = pytest.mark.models


def test_text_generation_streams_its_answer_and_details_count_the_tokens(hub: InferenceClient) -> None:
    whole = hub.text_generation("The sky is", max_new_tokens=5, details=True)
    events = list(hub.text_generation("The sky is", max_new_tokens=5, stream=True, details=True))
    assert "".join(event.token.text for event in events) == whole.generated_text == events[-1].generated_text
    assert [event.generated_text for event in events[:-1]] == [None] * 4
    assert whole.details
    assert (whole.details.generated_tokens, whole.details.finish_reason) == (5, "length")


def test_text_generation_returns_the_prompt_too_on_request(hub: InferenceClient) -> None:
    text = hub.text_generation("The sky is", max_new_tokens=2, return_full_text=True)
    assert text.startswith("The sky is ")


def test_a_parameter_that_cannot_be_honoured_is_refused_by_name(hub: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match="Not supported here: truncate") as refusal:
        hub.text_generation("The sky is", truncate=4)
    assert refusal.value.response.status_code == 422


def test_the_number_of_new_tokens_is_at_least_one(chat_worker: Any) -> None:
    for limit in (0, -1, "5"):
        status, answer = chat_worker.post("/", {"inputs": "a", "parameters": {"max_new_tokens": limit}})
        assert (status, "`parameters.max_new_tokens`" in answer["error"]) == (422, True)


def test_a_text_is_of_the_pattern_that_huggingface_hub_sends(hub: InferenceClient) -> None:
    pattern: Any = {"type": "regex", "value": r"[a-f]{4}-\d{2}"}
    assert re.fullmatch(pattern["value"], hub.text_generation("Code: ", max_new_tokens=20, grammar=pattern))


TOO_MANY = [
    "(a?){500}b",
    "a?" * 500,
    "(a|){500}b",
    "((a?){5}){5}",
    "(a?b?){25}c",
    "(a*){30}",
    "(a?){500,}b",
    "(()a?){30}",
]
"""With each of the first two, the engine was busy for minutes, and answered nobody else."""
FEW_ENOUGH = [r"(\s*[a-z]+\s*){30}", "((a?){20}b){50}", "(a*)*b", "(|a)*b", "a{0,1000}b", "(a?){20}b", "a{1000}" * 50]


@pytest.mark.parametrize("pattern", FEW_ENOUGH)
def test_a_pattern_with_parts_that_may_be_empty_is_enforced_at_once(chat_worker: Any, pattern: str) -> None:
    parameters = {"max_new_tokens": 8, "grammar": {"type": "regex", "value": pattern}}
    status, answer = chat_worker.post("/", {"inputs": "a", "parameters": parameters})
    assert (status, list(answer[0])) == (200, ["generated_text"])


@pytest.mark.parametrize(
    ("grammar", "complaint"),
    [
        ({"type": "regex", "value": ""}, "`parameters.grammar` must be"),
        ({"type": "regex", "value": {}}, "`parameters.grammar` must be"),
        ({"type": "regex", "value": "(?=a)b"}, "`parameters.grammar.value` "),
        *(({"type": "regex", "value": each}, "`parameters.grammar.value` has more than 20 parts") for each in TOO_MANY),
        ({"type": "regex", "value": "(a|b|ab){0,1000}c"}, "`parameters.grammar` is more than the engine can read"),
        ({"type": "json", "value": "a"}, "`parameters.grammar` must be"),
        ({"type": "gbnf", "value": "a"}, "`parameters.grammar` must be"),
        ("a+", "`parameters.grammar` must be"),
    ],
)
def test_a_grammar_that_cannot_be_enforced_is_refused(chat_worker: Any, grammar: Any, complaint: str) -> None:
    for stream in (False, True):
        request = {"inputs": "a", "parameters": {"grammar": grammar}, "stream": stream}
        status, answer = chat_worker.post("/", request)
        assert (status, answer["error"].startswith(complaint)) == (422, True)
