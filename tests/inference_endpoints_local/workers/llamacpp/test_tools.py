"""Tools of a chat, with a model whose template takes them: SmolLM2 with another template in its file."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from tests.inference_endpoints_local.workers.conftest import start_worker

from inference_endpoints_local.models import catalogue, weights

pytestmark = pytest.mark.models

TEMPLATE = """
{%- if tools %}<|im_start|>system
Call one of these functions: {{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or (message.tool_calls | tojson) }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
ALIGNMENT = 32
QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
CITIES = {"city": {"type": "string"}}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "time")
]


def with_template(model: bytes, template: str) -> bytes:
    """The GGUF model with another chat template. Its header changes by whole steps of the alignment, filled up with a
    comment: the offsets of tensors count from its end."""
    name = b"tokenizer.chat_template"
    at = model.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    length: int = struct.unpack_from("<Q", model, at)[0]
    text = template.encode() + b"{#"
    text += b" " * ((length - len(text) - 2) % ALIGNMENT) + b"#}"
    head, rest = model[:at], model[at + 8 + length :]
    return head + struct.pack("<Q", len(text)) + text + rest


@pytest.fixture(scope="module")
def openai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    folder = tmp_path_factory.mktemp("tools")
    shipped = catalogue.resolve_model("HuggingFaceTB/SmolLM2-135M-Instruct").files(weights.default_cache_dir())["gguf"]
    assert isinstance(shipped, Path)
    model = folder / "tools.gguf"
    model.write_bytes(with_template(shipped.read_bytes(), TEMPLATE))
    worker = start_worker(
        ["-m", "inference_endpoints_local.workers.llamacpp.chat"],
        folder,
        model="own",
        task="text-generation",
        files={"gguf": str(model)},
    )
    try:
        with OpenAI(base_url=f"{worker.ready().url}/v1", api_key=worker.secret, max_retries=0) as client:
            yield client
    finally:
        worker.stop()
        model.unlink()


def test_a_required_call_is_a_call_of_one_of_the_tools_with_arguments_of_its_schema(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model="own", messages=QUESTION, tools=TOOLS, tool_choice="required", max_tokens=60, n=2
    )
    for choice in answer.choices:
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert choice.message.tool_calls
        called: Any = choice.message.tool_calls[0]
        assert called.function.name in ("weather", "time")
        assert json.loads(called.function.arguments)["city"] in ("Paris", "Rome")


def test_one_tool_can_be_required_by_its_name_also_in_a_stream(openai: OpenAI) -> None:
    only_time: Any = {"type": "function", "function": {"name": "time"}}
    chunks = list(
        openai.chat.completions.create(
            model="own", messages=QUESTION, tools=TOOLS, tool_choice=only_time, max_tokens=60, stream=True
        )
    )
    (called,) = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert called.function
    assert called.function.name == "time"
    assert json.loads(called.function.arguments or "")["city"] in ("Paris", "Rome")
    assert not any(chunk.choices[0].delta.content for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_call_that_its_limit_cuts_off_is_text(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model="own", messages=QUESTION, tools=TOOLS, tool_choice="required", max_tokens=6, temperature=0
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content
    assert not answer.choices[0].message.tool_calls


@pytest.mark.parametrize("stream", [False, True])
def test_what_begins_as_a_call_and_is_none_is_text(openai: OpenAI, stream: bool) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    named: list[Any] = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": CITIES}}}
        for name in ("weather", "time")
    ]
    history: list[Any] = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "It rains."},
    ]
    # The model copies the list of calls in its history, and its limit cuts that off.
    answer: Any = openai.chat.completions.create(
        model="own", messages=history, tools=named, max_tokens=20, temperature=0, stream=stream
    )
    text = "".join(c.choices[0].delta.content or "" for c in answer) if stream else answer.choices[0].message.content
    assert text.startswith('[{"type": "function"')
