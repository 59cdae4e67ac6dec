"""Text generation, whole or token by token."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Literal, Unpack, cast, overload

from inference_endpoints.inference.generation.answer import (
    TextGenerationOutput,
    TextGenerationStreamOutput,
    read_generations,
)
from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.signatures import named_parameters
from inference_endpoints.inference.tasks.parameters import TextGenerationParameters
from inference_endpoints.inference.tasks.table import TASKS

_PLAIN = TASKS["text-generation"]
_DETAILED = replace(_PLAIN, read=read_generations)

No = Literal[False] | None


class GenerationMethods(EndpointCalls):
    """Text generation, to be awaited."""

    @overload
    async def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: No = None,
        stream: No = None,
        **parameters: Unpack[TextGenerationParameters],
    ) -> str: ...
    @overload
    async def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: Literal[True],
        stream: No = None,
        **parameters: Unpack[TextGenerationParameters],
    ) -> TextGenerationOutput: ...
    @overload
    async def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: No = None,
        stream: Literal[True],
        **parameters: Unpack[TextGenerationParameters],
    ) -> AsyncGenerator[str]: ...
    @overload
    async def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: Literal[True],
        stream: Literal[True],
        **parameters: Unpack[TextGenerationParameters],
    ) -> AsyncGenerator[TextGenerationStreamOutput]: ...
    @named_parameters
    async def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: bool | None = None,
        stream: bool | None = None,
        **parameters: Unpack[TextGenerationParameters],
    ) -> str | TextGenerationOutput | AsyncGenerator[str] | AsyncGenerator[TextGenerationStreamOutput]:
        """Continue a text. With `stream`, as tokens when they arrive; with `details`, with what is known of each token.

        A stream that you leave early is open until it is closed.

        >>> await client.text_generation("Once", max_new_tokens=4)
        'Once upon a time'
        """
        given = self._given(_PLAIN.name, parameters, _PLAIN.parameters)
        chosen = given.parameters | ({"details": True} if details else {})
        inference, known = await self._inference()
        name, namespace = self.endpoint.name, self.namespace
        if stream:
            tokens = inference.stream_text(name, prompt, namespace, parameters=chosen, known=known, **given.options)
            return await (self._begun(tokens) if details else self._begun(_texts(tokens)))
        task = _DETAILED if details else _PLAIN
        ran = await inference.run_many(name, task, [prompt], namespace, parameters=chosen, known=known, **given.options)
        return cast("str | TextGenerationOutput", ran.outputs[0])


async def _texts(tokens: AsyncGenerator[TextGenerationStreamOutput]) -> AsyncGenerator[str]:
    async with aclosing(tokens):
        async for token in tokens:
            yield token.token.text
