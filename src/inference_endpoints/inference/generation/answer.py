"""A generated text with its details, whole and in parts, by the names of TGI and huggingface_hub.

What an engine does not say is None. Sources of the forms: TGI's `/generate` and `/generate_stream`, and
`/v1/completions` as vLLM, SGLang and llama.cpp serve it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.inference.tasks.outputs import Output, keep_extra
from inference_endpoints.inference.tasks.readers import as_text, in_order, one_each


@dataclass(frozen=True)
class TextGenerationOutputToken(Output):
    """A token with its log probability. `special` is one that is no text."""

    id: int | None
    logprob: float | None
    special: bool
    text: str


@dataclass(frozen=True)
class TextGenerationOutputDetails(Output):
    """How a text was generated. `prefill` are the tokens of the prompt, where they were asked for."""

    finish_reason: str | None
    generated_tokens: int | None
    prefill: Sequence[TextGenerationOutputToken] = ()
    tokens: Sequence[TextGenerationOutputToken] = ()
    best_of_sequences: Sequence[dict[str, Any]] | None = None
    seed: int | None = None
    top_tokens: Sequence[Sequence[TextGenerationOutputToken]] | None = None


@dataclass(frozen=True)
class TextGenerationOutput(Output):
    """A generated text. `details` is None where the engine sends none."""

    generated_text: str
    details: TextGenerationOutputDetails | None = None


@dataclass(frozen=True)
class TextGenerationStreamOutputStreamDetails(Output):
    finish_reason: str | None
    generated_tokens: int | None
    input_length: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class TextGenerationStreamOutput(Output):
    """One token of a streamed text. Only the last one has `generated_text` and, where it was asked for, `details`."""

    index: int
    token: TextGenerationOutputToken
    details: TextGenerationStreamOutputStreamDetails | None = None
    generated_text: str | None = None
    top_tokens: Sequence[TextGenerationOutputToken] | None = None


def read_generations(payload: Any, count: int) -> list[TextGenerationOutput]:
    """A reader of answers to `details`: see `tasks/readers`."""
    if isinstance(payload, dict) and "choices" in payload:
        usage = payload.get("usage") or {}
        return [_of_choice(choice, usage) for choice in one_each(in_order(payload["choices"]), count)]
    rows = payload if isinstance(payload, list) else [payload]
    return [_of_row(row) for row in one_each(rows, count)]


def token_of(row: Any) -> TextGenerationOutputToken:
    token = TextGenerationOutputToken(
        row.get("id"), row.get("logprob"), bool(row.get("special")), as_text(row.get("text") or "")
    )
    return keep_extra(token, row)


def finish_reason_of(choice: Any) -> str | None:
    """The reason by TGI's names. vLLM names the text that ended a generation in `stop_reason`."""
    reason = choice.get("finish_reason")
    if reason == "stop":
        return "stop_sequence" if isinstance(choice.get("stop_reason"), str) else "eos_token"
    return reason if isinstance(reason, str) else None


def _of_row(row: Any) -> TextGenerationOutput:
    text, details = as_text(row["generated_text"]), row.get("details")
    if not details:
        return keep_extra(TextGenerationOutput(text), row)
    top = details.get("top_tokens")
    known = TextGenerationOutputDetails(
        details.get("finish_reason"),
        details.get("generated_tokens"),
        [token_of(token) for token in details.get("prefill") or ()],
        [token_of(token) for token in details.get("tokens") or ()],
        details.get("best_of_sequences"),
        details.get("seed"),
        [[token_of(token) for token in tokens] for tokens in top] if top else None,
    )
    return keep_extra(TextGenerationOutput(text, keep_extra(known, details)), row)


def _of_choice(choice: Any, usage: Any) -> TextGenerationOutput:
    details = TextGenerationOutputDetails(
        finish_reason_of(choice),
        usage.get("completion_tokens"),
        tokens=tokens_of_logprobs(choice.get("logprobs")),
    )
    return TextGenerationOutput(as_text(choice["text"]), keep_extra(details, choice, {"text", "index", "logprobs"}))


def tokens_of_logprobs(logprobs: Any) -> list[TextGenerationOutputToken]:
    """The tokens of `{content: [{token, logprob}]}`, or of `{tokens: […], token_logprobs: […]}`."""
    if not logprobs:
        return []
    if logprobs.get("content") is not None:
        return [
            TextGenerationOutputToken(each.get("id"), each.get("logprob"), special=False, text=as_text(each["token"]))
            for each in logprobs["content"]
        ]
    pairs = zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or (), strict=True)
    return [TextGenerationOutputToken(None, number, special=False, text=as_text(text)) for text, number in pairs]
