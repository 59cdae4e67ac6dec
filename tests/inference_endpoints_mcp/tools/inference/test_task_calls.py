"""Calls of every task through the tool: checked inputs, one shape of output, many inputs, and answers of any size."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import TextResourceContents
from tests.support.hosts.host import Host, serving, size_of, tokens_of
from tests.support.planes.plane_driver import TOKEN
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream

from inference_endpoints.inference.tasks.table import TASKS
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.privacy.token_bound import MAX_ANSWER_TOKENS, token_bound
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.tools.kept_outputs import LIFETIME_S

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "acme/chat"}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def asked(upstream: Upstream, clock: Clock, anyio_backend: str) -> AsyncIterator[Host]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": []}))
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": []}))
    async with serving(ServerOptions(open_backend=open_backend, clock=clock, namespace="acme")) as host:
        yield host


def lines_of(facts: dict[str, Any]) -> list[Any]:
    """What stands between the marks, a value a line."""
    return [json.loads(line) for line in facts["output"].splitlines()[1:-1]]


@pytest.mark.parametrize("task", sorted(TASKS))
async def test_get_endpoint_shows_an_example_that_the_tool_accepts(upstream: Upstream, asked: Host, task: str) -> None:
    upstream.runs("huggingface", task=task)
    facts = await asked.call("get_endpoint", **CHAT)
    assert facts["takes"].startswith(f"{task}: takes {', '.join(TASKS[task].takes.model_fields)}")
    example = facts["example"]
    if example["tool"] == "call_endpoint" and not TASKS[task].takes.media_fields():
        await asked.send(example["tool"], **example["arguments"])
        assert len(upstream.calls()) == 1, "the example was refused"


@pytest.mark.parametrize(
    ("task", "arguments", "said"),
    [
        ("question-answering", {"text": "why"}, "question-answering: it takes question, context, each by its name"),
        ("question-answering", {"inputs": [{"question": "why"}]}, "question-answering: context is missing"),
        ("zero-shot-classification", {"text": "a"}, "zero-shot-classification: candidate_labels is missing"),
        ("text-classification", {"text": "a", "parameters": {"top_kk": 1}}, "but top_k is"),
        ("text-ranking", {"text": "a"}, "text-ranking: "),
    ],
)
async def test_wrong_inputs_are_refused_with_the_field_and_an_example(
    upstream: Upstream, asked: Host, task: str, arguments: dict[str, Any], said: str
) -> None:
    upstream.runs("huggingface", task=task)
    message = await asked.refused("call_endpoint", "BAD_REQUEST", **CHAT, **arguments)
    assert said in message
    assert "Valid is for example {" in message
    assert upstream.calls() == []


SHAPES: list[tuple[str, dict[str, Any], Any, list[Any]]] = [
    (
        "text-ranking",
        {"inputs": [{"query": "q", "texts": ["a", "b"]}]},
        [{"index": 0, "score": 0.1}, {"index": 1, "score": 0.9}],
        [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}],
    ),
    (
        "sentence-similarity",
        {"inputs": [{"source_sentence": "a", "sentences": ["b", "c"]}]},
        [0.25, 0.5],
        [{"index": 1, "similarity": 0.5}, {"index": 0, "similarity": 0.25}],
    ),
    ("feature-extraction", {"text": "a"}, [[0.5] * 768], [{"dimensions": 768, "first": [0.5] * 8}]),
    (
        "feature-extraction",
        {"text": "a"},
        [[[0.5] * 768] * 7],
        [{"tokens": 7, "dimensions": 768, "first": [0.5] * 8}],
    ),
    (
        "feature-extraction",
        {"text": "a", "path": "/embed_sparse"},
        [[{"index": 7, "value": 0.25}, {"index": 9, "value": 0.5}]],
        [{"nonzero": 2, "largest": {"9": 0.5, "7": 0.25}}],
    ),
    (
        "question-answering",
        {"inputs": ['{"question": "q", "context": "c"}']},
        {"answer": "c", "score": 0.5, "start": 0, "end": 1},
        [{"answer": "c", "score": 0.5, "start": 0, "end": 1}],
    ),
    ("token-classification", {"text": "a"}, [], []),
]


@pytest.mark.parametrize(("task", "arguments", "answer", "shown"), SHAPES)
async def test_an_output_is_one_value_a_line_best_first(
    upstream: Upstream, asked: Host, task: str, arguments: dict[str, Any], answer: Any, shown: list[Any]
) -> None:
    upstream.runs("huggingface", task=task)
    upstream.serves(arguments.get("path", "/"), Answer(body=answer))
    facts = await asked.call("call_endpoint", **CHAT, **arguments)
    assert facts["task"] == task
    if shown:
        assert lines_of(facts) == shown
    else:
        assert "Nothing was found." in facts["output"]


async def test_many_inputs_come_back_in_their_order_with_an_error_for_each_that_failed(
    upstream: Upstream, asked: Host
) -> None:
    upstream.runs("tei", task="text-classification")
    good, refused = Answer(body=[{"label": "x", "score": 1}]), Answer(422, {"error": "\x1b[31mtoo long"})
    upstream.serves("/predict", refused, good, refused, good)
    facts = await asked.call("call_endpoint", **CHAT, texts=["a", "b", "c"])
    labels = [{"label": "x", "score": 1.0}]
    assert lines_of(facts) == [
        {"input": 0, "output": labels},
        {"input": 1, "error": "BAD_REQUEST"},
        {"input": 2, "output": labels},
    ]
    (failed,) = facts["failed"]
    assert (failed["input"], facts["inputs"]) == (1, 3)
    assert failed["error"].startswith("BAD_REQUEST: Endpoint acme/chat did not understand the request")
    assert "too long" in failed["reported"]
    assert "1 of 3 inputs failed" in facts["now"]


async def test_what_was_answered_before_the_time_limit_is_returned(upstream: Upstream, asked: Host) -> None:
    upstream.runs("huggingface", task="text-classification")
    good = Answer(body=[{"label": "x", "score": 1}])
    upstream.serves("/", good, good, SILENT)
    facts = await asked.call("call_endpoint", **CHAT, texts=["a", "b", "c"], timeout_s=1)
    assert sorted("error" in line for line in lines_of(facts)) == [False, False, True]
    (failed,) = facts["failed"]
    assert failed["error"].startswith("TIMEOUT: ")
    assert any(message == "2/3 inputs" for _, message in asked.progress)


async def test_an_answer_of_another_form_is_shown_as_it_came(upstream: Upstream, asked: Host) -> None:
    upstream.runs("huggingface", task="text-classification")
    upstream.serves("/", Answer(body={"verdict": "fine"}))
    facts = await asked.call("call_endpoint", **CHAT, text="a")
    assert lines_of(facts) == [{"verdict": "fine"}]
    assert "task" not in facts
    assert "another form than its task's" in facts["now"]


async def test_the_outputs_of_a_whole_body_are_read_as_well(upstream: Upstream, asked: Host) -> None:
    upstream.runs("tei", task="feature-extraction")
    rows = [{"index": place, "embedding": [0.5] * 384} for place in range(2)]
    upstream.serves("/v1/embeddings", Answer(body={"data": rows}))
    facts = await asked.call("call_endpoint", **CHAT, path="/v1/embeddings", body={"input": ["a", "b"]})
    assert (facts["vectors"], facts["dimensions"], facts["inputs"]) == (2, 384, 2)


async def test_the_openai_api_of_an_engine_is_found_by_itself(upstream: Upstream, asked: Host) -> None:
    upstream.runs("custom")
    document = upstream.endpoint("running")
    document["model"]["image"] = {"custom": {"url": "docker.io/vllm/vllm-openai:v0.11"}}
    upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(body=document))
    upstream.serves("/v1/completions", Answer(body={"choices": [{"text": "on"}]}))
    facts = await asked.call("call_endpoint", **CHAT, text="go")
    assert "\non\n" in facts["output"]
    facts = await asked.call("call_endpoint", **CHAT, body={"prompt": "go"})
    assert "\non\n" in facts["output"]


LONG: list[tuple[str, Any, str]] = [
    ("text-generation", {"generated_text": "".join(f"word{n} " for n in range(40_000))}, "word0 word1"),
    ("text-classification", [{"label": f"label {n}", "score": 1 / (n + 1)} for n in range(5_000)], '"label 0"'),
    ("custom", {"embeddings": [[0.123456] * 1_000] * 3}, "3 by 1,000 numbers"),
    ("custom", [0.123456] * 1_000, "1,000 numbers"),
    ("custom", [[[0.5] * 100] * 9] * 3, "3 by 9 by 100 numbers"),
    ("custom", {str(n): n for n in range(5_000)}, "4,992 more"),
    ("custom", [{"index": n, "value": 0.5} for n in range(5_000)], "4,800 more"),
    ("custom", {"image": "A1b2" * 5_000}, "characters of encoded data"),
    ("custom", "1234567890 " * 9_000, "1234567890"),
]


@pytest.mark.parametrize(("task", "answer", "shown"), LONG)
async def test_an_answer_is_bounded_from_its_end_and_the_rest_is_a_resource(
    upstream: Upstream, asked: Host, clock: Clock, task: str, answer: Any, shown: str
) -> None:
    upstream.runs("huggingface", task=task)
    upstream.serves("/", Answer(body=answer))
    facts = await asked.call("call_endpoint", **CHAT, text="a")
    assert shown in facts["output"]
    assert tokens_of(facts) <= MAX_ANSWER_TOKENS
    (rest,) = facts["rest"]
    (listed,) = await asked.list_outputs()
    assert rest["uri"].startswith(listed.uri)
    (page,) = (await asked.client.read_resource(rest["uri"])).contents
    assert isinstance(page, TextResourceContents)
    assert page.text.startswith("<untrusted-")
    assert token_bound(page.text) <= MAX_ANSWER_TOKENS
    clock.now += LIFETIME_S
    with pytest.raises(MCPError, match="has expired"):
        await asked.client.read_resource(rest["uri"])


async def test_the_pages_of_a_long_text_are_all_of_it(upstream: Upstream, asked: Host) -> None:
    whole = "".join(f"{n} " for n in range(12_000))
    upstream.runs("huggingface")
    upstream.serves("/", Answer(body={"generated_text": whole}))
    facts = await asked.call("call_endpoint", **CHAT, text="a")
    assert size_of(facts) < 28_000
    read, (rest,) = "\n".join(facts["output"].splitlines()[1:-2]), facts["rest"]
    uri = rest["uri"]
    while uri:
        (page,) = (await asked.client.read_resource(uri)).contents
        assert isinstance(page, TextResourceContents)
        _, text, *_ = page.text.split("\n")
        read += text
        uri = page.text.rpartition("It continues at ")[2] if "It continues at " in page.text else ""
    assert read == whole
