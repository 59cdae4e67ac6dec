"""Chat, as the clients of huggingface_hub and openai have it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, Unpack, overload

from inference_endpoints.inference.chat.answer import ChatDelta
from inference_endpoints.inference.chat.completions import ChatCompletion, ChatCompletionChunk
from inference_endpoints.inference.chat.messages import SETTINGS, ChatSettings, Messages
from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.signatures import named_parameters


class ChatMethods(EndpointCalls):
    """A chat, to be awaited."""

    @overload
    async def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: Literal[False] = False, **settings: Unpack[ChatSettings]
    ) -> ChatCompletion: ...
    @overload
    async def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: Literal[True], **settings: Unpack[ChatSettings]
    ) -> AsyncGenerator[ChatCompletionChunk]: ...
    @overload
    async def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: bool, **settings: Unpack[ChatSettings]
    ) -> ChatCompletion | AsyncGenerator[ChatCompletionChunk]: ...
    @named_parameters
    async def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: bool = False, **settings: Unpack[ChatSettings]
    ) -> ChatCompletion | AsyncGenerator[ChatCompletionChunk]:
        """Answer a conversation; with `stream`, as chunks when they arrive. `chat.completions.create` is the same.

        `model` is passed on, for engines that serve several. A stream that you leave early is open until it is closed.

        >>> completion = await client.chat_completion([{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> completion.choices[0].message.content
        'Hello!'
        """
        given = self._given("Chat", settings, SETTINGS.types)
        model = {} if given.model is None else {"model": given.model}
        inference, known = await self._inference()
        name, chosen = self.endpoint.name, {**given.parameters, **model}
        if stream:
            deltas = inference.stream_chat(
                name, messages, self.namespace, parameters=chosen, known=known, **given.options
            )
            return await self._begun(_to_chunks(deltas))
        response = await inference.chat(name, messages, self.namespace, parameters=chosen, known=known, **given.options)
        return ChatCompletion.of(response)


class AsyncCompletions(EndpointCalls):
    """`client.chat.completions`: what is set on the client, such as its timeout, holds here too."""

    def __init__(self, client: EndpointCalls) -> None:
        self.__dict__ = client.__dict__

    create = ChatMethods.chat_completion


class AsyncChat:
    """`client.chat`."""

    def __init__(self, client: EndpointCalls) -> None:
        self.completions = AsyncCompletions(client)


async def _to_chunks(deltas: AsyncGenerator[ChatDelta]) -> AsyncGenerator[ChatCompletionChunk]:
    async with aclosing(deltas):
        async for delta in deltas:
            yield ChatCompletionChunk.of(delta)
