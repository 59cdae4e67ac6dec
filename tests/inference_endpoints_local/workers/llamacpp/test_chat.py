"""The chat worker with a real small model: how it answers, not what it knows."""

import http.client
import json
import re
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from huggingface_hub import InferenceClient
from openai import BadRequestError, OpenAI
from tests.support.hang import HANG_TIMEOUT_S

pytestmark = pytest.mark.models

QUESTION: list[Any] = [{"role": "user", "content": "Name a colour. Answer in one word."}]


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


def test_each_prompt_and_each_choice_is_answered_and_counted(openai: OpenAI) -> None:
    answer = openai.completions.create(model="any", prompt=["One two", "Red green"], max_tokens=3, n=2, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert all(choice.text for choice in answer.choices)
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 12)
    chat = openai.chat.completions.create(model="any", messages=QUESTION, max_tokens=2, n=3)
    assert [(choice.index, choice.message.role) for choice in chat.choices] == [(n, "assistant") for n in range(3)]


def test_the_streams_of_several_prompts_keep_their_indexes_and_one_chunk_counts_all(openai: OpenAI) -> None:
    prompts = ["One two three", "Red green blue"]
    whole = openai.completions.create(model="any", prompt=prompts, max_tokens=4, temperature=0)
    stream = openai.completions.create(
        model="any", prompt=prompts, max_tokens=4, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    texts = ["".join(c.text for chunk in chunks for c in chunk.choices if c.index == index) for index in (0, 1)]
    assert texts == [choice.text for choice in whole.choices]
    assert len({chunk.id for chunk in (*chunks, last)}) == 1
    assert last.usage
    assert whole.usage
    assert (last.choices, last.usage.completion_tokens) == ([], whole.usage.completion_tokens)


def test_a_whole_answer_can_be_sent_back_as_history(hub: InferenceClient) -> None:
    message = hub.chat_completion(QUESTION, max_tokens=4).choices[0].message
    again: Any = [*QUESTION, message, {"role": "assistant", "content": None, "tool_calls": None}, *QUESTION]
    assert hub.chat_completion(again, max_tokens=2).choices[0].message.content is not None


@pytest.mark.parametrize(
    "options", [{"grammar": 'root ::= "😀 ok"', "max_tokens": 9}, {"stop": ["A"]}, {"max_tokens": 1}]
)
def test_role_and_content_are_there_however_the_answer_was_constrained(chat_worker: Any, options: Any) -> None:
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 9, "grammar": 'root ::= "A 😀"', **options}
    status, answer = chat_worker.post("/v1/chat/completions", body)
    assert status == 200
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert isinstance(answer["choices"][0]["message"]["content"], str)
    first = json.loads(raw_events(chat_worker, "/v1/chat/completions", body | {"stream": True})[0])
    assert first["choices"][0]["delta"].keys() >= {"role", "content"}


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(red|blue)-\d{3}é?$",
        r"[1-5][a-c]{2,4}\.",
        r"[^a-z\d][\s\S]\W\D[^\D]{2}",
        r'"(?:[\]\\^-]{3}|😀)"[^"].\t',
        r"(?P<year>\d{4})-x*?-(y+)",
    ],
)
def test_an_answer_is_a_text_that_matches_the_regular_expression(chat_worker: Any, pattern: str) -> None:
    for name in ("value", "regex"):
        wanted = {"type": "regex", name: pattern}
        body = {"messages": QUESTION, "max_tokens": 200, "seed": 1, "response_format": wanted}
        status, answer = chat_worker.post("/v1/chat/completions", body)
        assert status == 200
        text, reason = answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]
        assert reason == "length" or re.fullmatch(pattern, text)


@pytest.mark.parametrize("name", ["value", "grammar"])
def test_an_answer_is_a_text_of_the_grammar(chat_worker: Any, name: str) -> None:
    wanted = {"type": "grammar", name: 'root ::= "moss " ("green" | "grey")'}
    body = {"messages": QUESTION, "max_tokens": 9, "response_format": wanted}
    answer = chat_worker.post("/v1/chat/completions", body)[1]
    assert answer["choices"][0]["message"]["content"] in ("moss green", "moss grey")


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
BROKEN_CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 0}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": "\ud83d"}]}, "messages.0.content"),
        ({"messages": [*QUESTION, BROKEN_CALL]}, "messages.1.tool_calls.0.function.arguments"),
        ({"tools": [{"a": 1}]}, "tools.0"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tools"),  # the template of this model has no place for them
        ({"tools": [TOOL], "tool_choice": {"function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "structural_tag"}}, "response_format.type"),
        ({"response_format": {"type": "grammar", "value": "root ::= ("}}, "response_format"),
        ({"response_format": {"type": "grammar", "value": {}}}, "response_format.value"),
        ({"tools": [TOOL], "response_format": {"type": "regex", "value": "a"}}, "response_format"),
        ({"response_format": {"type": "regex"}}, "response_format.regex"),
        ({"response_format": {"type": "regex", "value": "("}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "(?=a)b"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": r"(a)\1"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": r"a\b"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "(?i)a"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "(?i:a)"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "a|^b"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": r"[^\Wa]"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "((a{99}){99}){99}"}}, "response_format.value"),
        ({"response_format": {"type": "regex", "value": "a"}, "grammar": 'root ::= "b"'}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"guided_regex": "[a-c]"}, "guided_regex"),
    ],
)
def test_what_cannot_be_honoured_is_refused_and_the_field_named(chat_worker: Any, changes: Any, field: str) -> None:
    status, answer = chat_worker.post("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 1} | changes)
    assert (status in (400, 422), answer["error"]["param"]) == (True, field)
    assert answer["error"]["message"].startswith(("`", "The chat template"))


@pytest.mark.parametrize("prompt", ["", [], ["a", ""], [[]], None, 5])
def test_an_empty_prompt_is_refused(chat_worker: Any, prompt: Any) -> None:
    status, answer = chat_worker.post("/v1/completions", {"prompt": prompt, "max_tokens": 1})
    assert (status, answer["error"]["param"].split(".")[0]) == (400, "prompt")


def test_members_that_are_null_are_absent(chat_worker: Any) -> None:
    names = (
        "stop",
        "temperature",
        "tools",
        "tool_choice",
        "response_format",
        "seed",
        "n",
        "logprobs",
        "stream",
        "user",
    )
    body = {"messages": QUESTION, "max_tokens": 1} | dict.fromkeys(names)
    assert chat_worker.post("/v1/chat/completions", body)[0] == 200


def test_a_trailing_slash_is_not_found_and_leads_nowhere_else(chat_worker: Any) -> None:
    status, answer = chat_worker.post("/v1/chat/completions/", {"messages": QUESTION})
    assert (status, "/v1/chat/completions" in answer["error"]["message"]) == (404, True)


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
