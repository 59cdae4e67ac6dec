"""`text_generation` whole and streamed, with details and without, from TGI and from engines of the OpenAI API."""

import asyncio
from typing import Any, Literal

import huggingface_hub
import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle, client_of, collected
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream, events

from inference_endpoints import InferenceEndpointTimeoutError, InvalidResponse, Unavailable
from inference_endpoints.inference.generation.answer import (
    TextGenerationOutputToken,
    TextGenerationStreamOutputStreamDetails,
)

pytestmark = pytest.mark.anyio


def tgi_event(index: int, text: str, **last: Any) -> dict[str, Any]:
    token = {"id": index, "text": text, "logprob": -0.5, "special": False, "own_rank": 1}
    return {"index": index, "token": token, "generated_text": None, "details": None} | last


ENDED = {"finish_reason": "length", "generated_tokens": 2, "input_length": 3, "seed": 7, "own_queue_ms": 4}
OF_TGI = [tgi_event(1, " upon"), tgi_event(2, " a", generated_text=" upon a", details=ENDED)]


def chunk(text: Any, **choice: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": None, **choice}]}


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
OF_OPENAI = [
    chunk(" upon", logprobs={"tokens": [" upon"], "token_logprobs": [-0.5], "top_logprobs": None}),
    chunk(" a", logprobs={"content": [{"id": 9, "token": " a", "logprob": -0.25}]}),
    chunk("", finish_reason="stop", stop_reason="."),
    {"id": "c", "choices": [], "usage": USAGE},
    DONE,
]


async def test_tokens_come_as_by_huggingface_hub(call: CallStyle, default_upstream: Upstream) -> None:
    for path in ("/serve/chat", "/serve/chat/"):
        default_upstream.answers("POST", path, events(*OF_TGI))
    theirs = huggingface_hub.InferenceClient(model=f"{default_upstream.url}/serve/chat", token=TOKEN)
    ours = client_of(call, default_upstream)

    def read_theirs(**options: Any) -> list[Any]:
        return list(theirs.text_generation("once", stream=True, **options))

    settings: dict[str, Any] = {"max_new_tokens": 2, "stop": ["."], "return_full_text": False}
    texts = await collected(await call(ours.text_generation, "once", stream=True, **settings))
    assert texts == await asyncio.to_thread(read_theirs, **settings) == [" upon", " a"]
    tokens = await collected(await call(ours.text_generation, "once", stream=True, details=True, **settings))
    expected = await asyncio.to_thread(read_theirs, details=True, **settings)
    for token, one in zip(tokens, expected, strict=True):
        assert dict(token.token) == dict(one.token)
        assert (token.index, token.generated_text) == (one.index, one.generated_text)
        assert (token.details and dict(token.details)) == (one.details and dict(one.details))
    sent = [seen.json for seen in default_upstream.seen]
    assert sent[0] == sent[1]
    assert sent[2] == sent[3]


@pytest.mark.parametrize("engine", ["vllm", "llamacpp"])
async def test_tokens_of_an_engine_of_the_openai_api_have_the_same_form(
    call: CallStyle, default_upstream: Upstream, engine: str
) -> None:
    default_upstream.serves("/v1/completions", events(*OF_OPENAI))
    client = client_of(call, default_upstream, engine=engine)
    assert await collected(await call(client.text_generation, "once", stream=True, max_new_tokens=2)) == [
        *(" upon", " a"),
        "",
    ]
    tokens = await collected(await call(client.text_generation, "once", stream=True, details=True))
    assert [token.token for token in tokens[:2]] == [
        TextGenerationOutputToken(None, -0.5, special=False, text=" upon"),
        TextGenerationOutputToken(9, -0.25, special=False, text=" a"),
    ]
    assert tokens[2].token.special
    assert tokens[2].generated_text == " upon a"
    assert tokens[2].details == TextGenerationStreamOutputStreamDetails("stop_sequence", 2, 3)
    plain, detailed = (seen.json for seen in default_upstream.seen)
    options = {"model": "gpt2", "prompt": "once", "stream": True, "stream_options": {"include_usage": True}}
    assert plain == options | {"max_tokens": 2}
    assert detailed == options | {"logprobs": 1}


async def test_details_of_an_engine_of_the_openai_api_have_the_same_form(
    call: CallStyle, default_upstream: Upstream
) -> None:
    logprobs = {"tokens": [" upon"], "token_logprobs": [-0.5]}
    choice = chunk(" upon", finish_reason="stop", logprobs=logprobs, matched_stop=2)
    default_upstream.serves("/v1/completions", Answer(body=choice | {"usage": USAGE}))
    client = client_of(call, default_upstream, engine="vllm")
    output = await call(client.text_generation, "once", details=True, return_full_text=True)
    assert output.generated_text == output["generated_text"] == " upon"
    assert (output.details.finish_reason, output.details.generated_tokens) == ("eos_token", 2)
    assert output.details["matched_stop"] == 2
    assert "index" not in output.details
    assert output.details.tokens == [TextGenerationOutputToken(None, -0.5, special=False, text=" upon")]
    assert default_upstream.seen[0].json == {"model": "gpt2", "prompt": "once", "echo": True, "logprobs": 1}


async def test_an_engine_that_streams_nothing_is_one_token(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves("/", Answer(body=[{"generated_text": "once upon"}]))
    client = client_of(call, default_upstream)
    assert await collected(await call(client.text_generation, "once", stream=True)) == ["once upon"]
    assert (await call(client.text_generation, "once", details=True)).details is None


@pytest.mark.parametrize("end", ["proper", "broken"])
@pytest.mark.parametrize("engine", ["", "vllm"])
async def test_a_text_that_breaks_off_is_never_taken_for_a_whole_one(
    call: CallStyle, default_upstream: Upstream, engine: str, end: Literal["proper", "broken"]
) -> None:
    default_upstream.serves("/", events(OF_TGI[0], end=end))
    default_upstream.serves("/v1/completions", events(OF_OPENAI[0], end=end))
    client = client_of(call, default_upstream, engine=engine)
    with pytest.raises(Unavailable, match="broke off its answer"):
        await collected(await call(client.text_generation, "once", stream=True))


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        ({"error": "CUDA error", "error_type": "generation"}, Unavailable, "failed while answering"),
        (b"data: {\n\n", InvalidResponse, "no generated text"),
        ({"token": 7}, InvalidResponse, "no generated text"),
        (7, InvalidResponse, "no generated text"),
    ],
)
async def test_what_goes_wrong_in_a_stream_is_an_error_of_ours(
    call: CallStyle, default_upstream: Upstream, event: Any, kind: type[Exception], said: str
) -> None:
    default_upstream.serves("/", events(OF_TGI[0], event))
    client = client_of(call, default_upstream)
    with pytest.raises(kind, match=said):
        await collected(await call(client.text_generation, "once", stream=True))


async def test_counts_that_are_none_are_left_out_and_a_text_that_is_none_is_an_error(
    call: CallStyle, default_upstream: Upstream
) -> None:
    ended = chunk(" a", finish_reason="length") | {"usage": 7}
    default_upstream.serves("/v1/completions", events(ended, DONE), events(chunk({"a": 1}), DONE))
    client = client_of(call, default_upstream, engine="vllm")
    *_, last = await collected(await call(client.text_generation, "once", stream=True, details=True))
    assert (last.generated_text, last.details.finish_reason, last.details.generated_tokens) == (" a", "length", None)
    with pytest.raises(InvalidResponse, match="no generated text"):
        await call(client.text_generation, "once", stream=True)


async def test_the_time_of_a_call_is_for_the_whole_stream(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves("/", events(OF_TGI[0], end="silent"))
    client = client_of(call, default_upstream)
    stream = await call(client.text_generation, "once", stream=True, timeout=0.3)
    with pytest.raises(InferenceEndpointTimeoutError, match=r"did not finish its answer within 0\.3 s"):
        await collected(stream)


async def test_a_stop_is_sent_as_a_list_and_a_stream_that_is_left_is_closed_with_its_client(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.serves("/", events(OF_TGI[0], end="silent"))
    client = client_of(call, default_upstream)
    stream = await call(client.text_generation, "once", stream=True, stop=".")
    if call.run is asyncio.to_thread:
        assert await asyncio.to_thread(next, stream) == " upon"
    else:
        assert await anext(stream) == " upon"
    await call(client.close)
    assert await collected(stream) == []
    assert default_upstream.seen[0].json["parameters"] == {"stop": ["."]}
    default_upstream.serves("/", Answer(body=[{"generated_text": "on"}]))
    assert await call(client.text_generation, "once") == "on"
