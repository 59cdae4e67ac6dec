"""The text-generation task as TGI words it, said in llama.cpp's words and back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from inference_endpoints_local.workers.worker_http import parameters, unprocessable

Token = dict[str, Any]

DEFAULT_NEW_TOKENS = 100
RENAMED = {
    "max_new_tokens": "max_tokens",
    "repetition_penalty": "repeat_penalty",
    "stop_sequences": "stop",
} | {name: name for name in ("temperature", "top_k", "top_p", "typical_p", "frequency_penalty", "seed", "stop")}
HANDLED = {"do_sample", "details", "return_full_text", "grammar"}
SAMPLING = {"temperature", "top_k", "top_p", "typical_p", "seed"}
END = {"id": 0, "text": "", "logprob": None, "special": True}


@dataclass(frozen=True)
class GenerationRequest:
    """A generation: what to ask the engine for, and how the answer is to look."""

    request: dict[str, Any]
    prefix: str
    details: bool
    stops: bool


def read_request(body: dict[str, Any]) -> GenerationRequest:
    """Understand a text-generation body. Raises 422 for what cannot be done here, rather than ignoring it."""
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs:
        raise unprocessable("`inputs` must be a non-empty string")
    given = {name: value for name, value in parameters(body).items() if value is not False}
    unknown = sorted(given.keys() - RENAMED.keys() - HANDLED)
    if unknown:
        raise unprocessable(f"Not supported here: {', '.join(unknown)}. Supported: {_supported()}")
    request = {"prompt": inputs, "max_tokens": DEFAULT_NEW_TOKENS, "logprobs": 1}
    request |= {RENAMED[name]: value for name, value in given.items() if name in RENAMED}
    if not given.keys() & (SAMPLING | {"do_sample"}):
        request["temperature"] = 0  # TGI is greedy unless told otherwise
    if grammar := given.get("grammar"):
        request["json_schema"] = _schema(grammar)
    return GenerationRequest(
        request,
        prefix=inputs if given.get("return_full_text") else "",
        details=bool(given.get("details")),
        stops="stop" in request,
    )


def full_answer(wanted: GenerationRequest, chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """`{"generated_text"}`, with `details` where they were asked for."""
    tokens = [token for chunk in chunks if (token := _token(chunk))]
    text = wanted.prefix + "".join(token["text"] for token in tokens)
    if not wanted.details:
        return {"generated_text": text}
    details = _details(wanted, chunks[-1]) | {"prefill": [], "tokens": tokens}
    return {"generated_text": text, "details": details}


async def event_stream(
    wanted: GenerationRequest, chunks: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    """One event per token; the last one, held back until it is known to be that, carries the whole text."""
    text, index, held = wanted.prefix, 0, None
    last: dict[str, Any] = {}
    async for last in chunks:
        if token := _token(last):
            if held:
                yield {"index": index, "token": held, "generated_text": None, "details": None}
            text, index, held = text + token["text"], index + 1, token
    details = _details(wanted, last) if wanted.details else None
    yield {"index": max(index, 1), "token": held or END, "generated_text": text, "details": details}


def _token(chunk: dict[str, Any]) -> Token | None:
    """The token a chunk brings; several where only together they make a character."""
    for choice in chunk["choices"]:
        if choice["text"]:
            scored = ((choice.get("logprobs") or {}).get("content") or [{}])[-1]
            return {
                "id": scored.get("id", 0),
                "text": choice["text"],
                "logprob": scored.get("logprob"),
                "special": False,
            }
    return None


def _details(wanted: GenerationRequest, last: dict[str, Any]) -> dict[str, Any]:
    finished = last["choices"][0]["finish_reason"]
    if finished == "stop":
        finished = "stop_sequence" if wanted.stops else "eos_token"
    return {"finish_reason": finished, "generated_tokens": last["usage"]["completion_tokens"], "seed": None}


def _schema(grammar: object) -> dict[str, Any]:
    if isinstance(grammar, dict) and grammar.get("type") in ("json", "json_schema"):
        value = grammar.get("value")
        if isinstance(value, dict):
            return value
    raise unprocessable('`parameters.grammar` must be {"type": "json", "value": a JSON schema}')


def _supported() -> str:
    return ", ".join(sorted(RENAMED.keys() | HANDLED))
