"""Read generated texts and transcripts."""

from typing import Any

from inference_endpoints.inference.tasks.outputs import Transcript, TranscriptChunk, keep_extra
from inference_endpoints.inference.tasks.readers import Reader, as_text, in_order, one_each, unwrap


def read_texts(*names: str) -> Reader:
    """A reader of the text under one of these names: in an object, a list, a list of lists, or OpenAI's `choices`.

    Several texts for one input, as asked for with `num_return_sequences` or `n`, are a list of texts.
    """

    def text_of(row: Any) -> str:
        if isinstance(row, dict) and isinstance(row.get("message"), dict):
            return str(row["message"]["content"] or "")
        return as_text(next((row[name] for name in names if name in row), None))

    def texts_of(row: Any) -> str | list[str]:
        if isinstance(row, list):
            return text_of(row[0]) if len(row) == 1 else [text_of(each) for each in row]
        return text_of(row)

    def read(payload: Any, count: int) -> list[Any]:
        if isinstance(payload, dict) and "choices" in payload:
            return _by_input(payload["choices"], count, text_of)
        rows = payload if isinstance(payload, list) else [payload]
        if count == 1 and len(rows) > 1:
            rows = [rows]
        return [texts_of(row) for row in one_each(rows, count)]

    return read


def _by_input(choices: list[Any], count: int, text_of: Any) -> list[Any]:
    """The choices of each prompt, which an engine numbers one after the other."""
    if not choices or len(choices) % count:
        raise ValueError("not the same number of choices for each input")
    texts, each = [text_of(choice) for choice in in_order(choices)], len(choices) // count
    return texts if each == 1 else [texts[start : start + each] for start in range(0, len(texts), each)]


def read_transcript(payload: Any, count: int) -> list[Transcript]:
    """`{text, chunks}` of transformers, `{text, segments}` of the OpenAI API, or the text in a list."""
    rows = payload if isinstance(payload, list) else [payload]
    return [_transcript(row) for row in one_each(rows, count)]


def _transcript(row: Any) -> Transcript:
    text = as_text(row["text"]).strip()
    chunks = unwrap(row, "chunks", "segments", "words")
    if chunks is row or chunks is None:
        return keep_extra(Transcript(text), row)
    return keep_extra(Transcript(text, [_chunk(chunk) for chunk in chunks]), row, {"segments", "words"})


def _chunk(chunk: Any) -> TranscriptChunk:
    start, end = chunk["timestamp"] if "timestamp" in chunk else (chunk["start"], chunk["end"])
    text = chunk["text"] if "text" in chunk else chunk["word"]
    return keep_extra(TranscriptChunk(str(text), (_seconds(start), _seconds(end))), chunk, {"word", "start", "end"})


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)
