"""The text-generation task in TGI's format, translated to llama.cpp's format and back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from inference_endpoints_local.workers.llamacpp.regex_grammar import grammar_of
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
END_TOKEN = {"id": 0, "text": "", "logprob": None, "special": True}


@dataclass(frozen=True)
class GenerationRequest:
    """A generation: the request to the engine, and the form of the response."""

    request: dict[str, Any]
    prefix: str
    details: bool
    stops: bool


def read_request(body: dict[str, Any]) -> GenerationRequest:
    """Parse the body of a text-generation request. Raises 422 for a parameter that is not supported."""
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs:
        raise unprocessable("`inputs` must be a non-empty string")
    options = {name: value for name, value in parameters(body).items() if value is not False}
    unknown = sorted(options.keys() - RENAMED.keys() - HANDLED)
    if unknown:
        raise unprocessable(f"Not supported here: {', '.join(unknown)}. Supported: {_supported()}")
    limit = options.get("max_new_tokens", DEFAULT_NEW_TOKENS)
    if type(limit) is not int or limit < 1:
        raise unprocessable("`parameters.max_new_tokens` must be a whole number of at least 1")
    request = {"prompt": inputs, "max_tokens": DEFAULT_NEW_TOKENS, "logprobs": 1}
    request |= {RENAMED[name]: value for name, value in options.items() if name in RENAMED}
    if not options.keys() & (SAMPLING | {"do_sample"}):
        request["temperature"] = 0  # TGI decodes greedily by default
    if grammar := options.get("grammar"):
        request |= _constraint(grammar)
    return GenerationRequest(
        request,
        prefix=inputs if options.get("return_full_text") else "",
        details=bool(options.get("details")),
        stops="stop" in request,
    )


def response_body(generation: GenerationRequest, chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """`{"generated_text"}`, with `details` if they were requested."""
    tokens = [token for chunk in chunks if (token := _token(chunk))]
    text = generation.prefix + "".join(token["text"] for token in tokens)
    if not generation.details:
        return {"generated_text": text}
    details = _details(generation, chunks[-1]) | {"prefill": [], "tokens": tokens}
    return {"generated_text": text, "details": details}


async def event_stream(
    generation: GenerationRequest, chunks: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    """One event per token. The last one has the whole text, so each token is held back until the next one comes."""
    text, index, held = generation.prefix, 0, None
    last: dict[str, Any] = {}
    async for last in chunks:
        if token := _token(last):
            if held:
                yield {"index": index, "token": held, "generated_text": None, "details": None}
            text, index, held = text + token["text"], index + 1, token
    details = _details(generation, last) if generation.details else None
    yield {"index": max(index, 1), "token": held or END_TOKEN, "generated_text": text, "details": details}


def _token(chunk: dict[str, Any]) -> Token | None:
    """The token of a chunk. Several tokens count as one where only together they make a character."""
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


def _details(generation: GenerationRequest, last: dict[str, Any]) -> dict[str, Any]:
    reason = last["choices"][0]["finish_reason"]
    if reason == "stop":
        reason = "stop_sequence" if generation.stops else "eos_token"
    return {"finish_reason": reason, "generated_tokens": last["usage"]["completion_tokens"], "seed": None}


def _constraint(grammar: object) -> dict[str, Any]:
    kind, value = (grammar.get("type"), grammar.get("value")) if isinstance(grammar, dict) else (None, None)
    if kind in ("json", "json_schema") and isinstance(value, dict):
        return {"json_schema": value}
    if kind == "regex" and isinstance(value, str) and value:
        try:
            return {"grammar": grammar_of(value)}
        except ValueError as error:
            raise unprocessable(f"`parameters.grammar.value` {error}") from error
    raise unprocessable(
        '`parameters.grammar` must be {"type": "json", "value": a JSON schema} or {"type": "regex", "value": a pattern}'
    )


def _supported() -> str:
    return ", ".join(sorted(RENAMED.keys() | HANDLED))
