"""The chat worker with a real small model: how it answers, not what it knows."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai import BadRequestError, OpenAI
from tests.support.hang import HANG_TIMEOUT_S

pytestmark = pytest.mark.models

QUESTION: list[Any] = [{"role": "user", "content": "Name a colour. Answer in one word."}]


@pytest.fixture(scope="session")
def hub(chat_worker: Any) -> InferenceClient:
    return InferenceClient(model=chat_worker.url, token=chat_worker.secret)


@pytest.fixture(scope="session")
def openai(chat_worker: Any) -> OpenAI:
    return OpenAI(base_url=f"{chat_worker.url}/v1", api_key=chat_worker.secret, max_retries=0)


def test_chat_answers_in_the_name_of_the_repository_and_counts_its_tokens(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model="any", messages=QUESTION, max_tokens=8, temperature=0)
    assert answer.model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.usage
    assert 1 <= answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_same_question_at_temperature_zero_has_the_same_answer(hub: InferenceClient) -> None:
    first, second = (hub.chat_completion(QUESTION, max_tokens=12, temperature=0) for _ in range(2))
    assert first.choices[0].message.content == second.choices[0].message.content


def test_streamed_pieces_add_up_to_the_whole_answer(hub: InferenceClient) -> None:
    whole = hub.chat_completion(QUESTION, max_tokens=12, temperature=0).choices[0]
    pieces = list(hub.chat_completion(QUESTION, max_tokens=12, temperature=0, stream=True))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.message.content
    assert pieces[-1].choices[0].finish_reason == whole.finish_reason


def test_a_stream_ends_with_done_and_counts_tokens_only_on_request(chat_worker: Any) -> None:
    body = {"messages": QUESTION, "max_tokens": 2, "temperature": 0, "stream": True}
    for options, counted in ({}, False), ({"stream_options": {"include_usage": True}}, True):
        *events, last = raw_events(chat_worker, "/v1/chat/completions", body | options)
        assert last == "[DONE]"
        assert ("usage" in json.loads(events[-1])) is counted


def test_a_text_completion_ends_at_its_limit_and_reports_it(openai: OpenAI) -> None:
    answer = openai.completions.create(model="any", prompt="One two three", max_tokens=3, temperature=0)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].text


def test_a_json_schema_is_enforced_in_the_form_that_huggingface_hub_sends(hub: InferenceClient) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    answer = hub.chat_completion(QUESTION, max_tokens=40, temperature=0, response_format=wanted)
    assert isinstance(json.loads(answer.choices[0].message.content or "")["ok"], bool)


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


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_longer_than_the_context_is_a_bad_request_also_when_streaming(openai: OpenAI, stream: bool) -> None:
    long: list[Any] = [{"role": "user", "content": "word " * 5000}]
    with pytest.raises(BadRequestError, match="exceeds the available context size"):
        openai.chat.completions.create(model="any", messages=long, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_stops_the_generation(chat_worker: Any, openai: OpenAI, stream: bool, until: Any) -> None:
    lines = len(chat_worker.log.splitlines())
    endless = {"prompt": "Once", "max_tokens": 4000, "ignore_eos": True, "stream": stream}
    connection, response = begin(chat_worker, "/v1/completions", endless)
    if stream:
        response().readline()
    connection.close()
    # The only slot is free again, long before the 40 s that 4000 tokens take.
    openai.with_options(timeout=HANG_TIMEOUT_S).completions.create(model="any", prompt="Once", max_tokens=1)
    until(lambda: len(chat_worker.log.splitlines()) >= lines + 2)
    assert "4000 completion" not in chat_worker.log


def test_the_engine_counts_requests_that_run_and_those_that_wait_for_its_slot(chat_worker: Any, until: Any) -> None:
    before = counters(chat_worker)
    endless = {"prompt": "Once", "max_tokens": 4000, "ignore_eos": True, "stream": True}
    running, first_line = begin(chat_worker, "/v1/completions", endless)
    first_line().readline()
    waiting, _ = begin(chat_worker, "/v1/completions", endless)
    grows = ("running_s", "waiting_s", "kv_cache_s", "next_tokens")
    until(lambda: all(counters(chat_worker)[name] > before[name] for name in grows))
    assert counters(chat_worker)["first_tokens"] == before["first_tokens"] + 1
    for connection in (running, waiting):
        connection.close()

    def is_idle() -> bool:
        first, second = counters(chat_worker), counters(chat_worker)
        return all(first[name] == second[name] for name in ("running_s", "waiting_s"))

    until(is_idle)


def counters(worker: Any) -> Any:
    status, counted = worker.get("/metrics.json")
    assert status == 200
    return counted


def test_callers_see_timings_of_each_token_only_on_request_and_no_progress(chat_worker: Any) -> None:
    body = {"messages": QUESTION, "max_tokens": 3, "temperature": 0, "stream": True}
    for options, timed in ({}, False), ({"timings_per_token": True}, True):
        chunks = [json.loads(event) for event in raw_events(chat_worker, "/v1/chat/completions", body | options)[:-1]]
        assert not any("prompt_progress" in chunk for chunk in chunks)
        assert any("timings" in chunk for chunk in chunks) is timed


def test_reading_the_metrics_is_not_logged_and_needs_the_secret(chat_worker: Any) -> None:
    counters(chat_worker)
    assert chat_worker.get("/metrics.json", secret=None)[0] == 401
    assert "metrics.json" not in chat_worker.log


def test_the_engines_own_server_answers_nobody(chat_worker: Any) -> None:
    own = int(chat_worker.url.rsplit(":", 1)[1])
    listening = psutil.Process(chat_worker.process.pid).net_connections("tcp")
    inner = [c.laddr for c in listening if c.status == psutil.CONN_LISTEN and c.laddr.port != own]
    assert [address.ip for address in inner] == ["127.0.0.1"]
    connection = http.client.HTTPConnection(inner[0].ip, inner[0].port, timeout=HANG_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {chat_worker.secret}"}
    connection.request("POST", "/v1/chat/completions", json.dumps({"messages": QUESTION}), headers)
    assert connection.getresponse().status == 401
    connection.close()


def begin(worker: Any, path: str, body: dict[str, Any]) -> tuple[http.client.HTTPConnection, Any]:
    connection = http.client.HTTPConnection(urlsplit(worker.url).netloc, timeout=HANG_TIMEOUT_S)
    connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {worker.secret}"})
    return connection, connection.getresponse


def raw_events(worker: Any, path: str, body: dict[str, Any]) -> list[str]:
    connection, response = begin(worker, path, body)
    lines = response().read().decode().splitlines()
    connection.close()
    return [line.removeprefix("data: ") for line in lines if line]
