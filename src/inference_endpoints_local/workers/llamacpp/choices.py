"""The choices of one OpenAI request: each is a generation of its own, and their chunks become one stream.

The engine itself counts the tokens of one choice alone, and has no more choices than slots.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

Chunk = dict[str, Any]
Body = dict[str, Any]
Generate = Callable[[Body], AsyncGenerator[Chunk, None]]


def bodies_of_choices(body: Body) -> list[Body]:
    """A request for each choice: `n` of each prompt, with seeds that differ. A chat has one prompt, its messages."""
    one = {name: value for name, value in body.items() if name not in ("n", "best_of")}
    prompts = body.get("prompt", [None])
    return [
        one
        | ({} if prompt is None else {"prompt": prompt})
        | ({"seed": body["seed"] + number} if "seed" in body else {})
        for prompt in prompts
        for number in range(body.get("n", 1))
    ]


async def stream_choices(generate: Generate, bodies: Sequence[Body], each_prompt: int) -> AsyncIterator[Chunk]:
    """The chunks of all choices as they come, then one without choices that counts the tokens.

    `each_prompt` is the number of choices of one prompt, whose tokens are counted once. An error ends all choices.
    """
    chunks: asyncio.Queue[tuple[int, Chunk | None]] = asyncio.Queue()

    async def run(index: int) -> None:
        try:
            async with aclosing(generate(bodies[index])) as stream:
                async for chunk in stream:
                    chunks.put_nowait((index, chunk))
        finally:
            chunks.put_nowait((index, None))

    tasks = [asyncio.create_task(run(index)) for index in range(len(bodies))]
    last = _LastChunk(each_prompt)
    try:
        for _ in range(len(bodies)):
            index, chunk = await chunks.get()
            while chunk is not None:
                if choice := last.without_counts(index, chunk):
                    yield choice
                index, chunk = await chunks.get()
            await tasks[index]
        yield last.counts(single=len(bodies) == 1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _LastChunk:
    """Gathers what the last chunks of the choices count."""

    def __init__(self, each_prompt: int) -> None:
        self._each_prompt = each_prompt
        self._common: Chunk = {}
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        self._cached = 0
        self._timings: Any = None

    def without_counts(self, index: int, chunk: Chunk) -> Chunk | None:
        """The chunk with its choice's index and the response's id, or None if it only counts tokens."""
        if usage := chunk.pop("usage", None):
            self._timings = chunk.pop("timings", None)
            self._count(index, usage)
        self._common = self._common or {name: value for name, value in chunk.items() if name != "choices"}
        if not chunk["choices"]:
            return None
        return chunk | self._common | {"choices": [choice | {"index": index} for choice in chunk["choices"]]}

    def counts(self, *, single: bool) -> Chunk:
        usage = self._usage | {"prompt_tokens_details": {"cached_tokens": self._cached}}
        timings = {"timings": self._timings} if single and self._timings else {}
        return self._common | {"choices": [], "usage": usage} | timings

    def _count(self, index: int, usage: dict[str, Any]) -> None:
        prompt = 0 if index % self._each_prompt else usage["prompt_tokens"]
        self._cached += 0 if index % self._each_prompt else _cached(usage)
        self._usage["prompt_tokens"] += prompt
        self._usage["completion_tokens"] += usage["completion_tokens"]
        self._usage["total_tokens"] += prompt + usage["completion_tokens"]


def _cached(usage: dict[str, Any]) -> int:
    return int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)


async def as_chat(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The first delta of each choice with its role and a text: the engine leaves out both where it was constrained."""
    begun: set[int] = set()
    async for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] not in begun:
                begun.add(choice["index"])
                given = {name: value for name, value in choice["delta"].items() if value is not None}
                choice["delta"] = {"role": "assistant", "content": ""} | given
        yield chunk


def merge_chunks(chunks: list[Chunk], kind: str) -> dict[str, Any]:
    """The whole response that the chunks of a stream add up to."""
    response: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.pop("choices"):
            _merge_into(choices.setdefault(choice["index"], {}), choice)
        response |= chunk
    for choice in choices.values():
        if "delta" in choice:
            choice["message"] = _message(choice.pop("delta"))
    return response | {"object": kind, "choices": [choices[index] for index in sorted(choices)]}


def _message(delta: dict[str, Any]) -> dict[str, Any]:
    calls = delta.get("tool_calls", [])
    for call in calls:
        del call["index"]
    return delta | {"content": delta.get("content") or (None if calls else "")}


def _merge_into(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Text is appended. Lists are extended, or merge_chunks where their items have an index. The rest is replaced."""
    for name, value in part.items():
        existing = whole.get(name)
        if existing is None:
            whole[name] = value
        elif isinstance(value, str):
            whole[name] = existing + value
        elif isinstance(value, dict):
            _merge_into(existing, value)
        elif isinstance(value, list):
            _merge_items(existing, value)
        elif value is not None:
            whole[name] = value


def _merge_items(existing: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
    """Items with an index are merged with those of the same one."""
    for item in items:
        same = [old for old in existing if "index" in old and old["index"] == item.get("index")]
        if same:
            _merge_into(same[0], item)
        else:
            existing.append(item)
