"""`endpoint.async_client`: all methods of one endpoint, to be awaited."""

from collections.abc import Mapping
from typing import Any, Self

from inference_endpoints.clients.client_pool import client_of
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.hub_client.chat import AsyncChat, ChatMethods
from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.generation import GenerationMethods
from inference_endpoints.inference.hub_client.media_tasks import MediaTasks
from inference_endpoints.inference.hub_client.text_tasks import TextTasks
from inference_endpoints.inference.tasks.parameters import CallParameters


class AsyncInferenceClient(ChatMethods, GenerationMethods, TextTasks, MediaTasks):
    """Calls one endpoint, with the methods, parameters and results of huggingface_hub's `AsyncInferenceClient`.

    Its methods and attributes are those of `InferenceClient`. Leave `async with` or `close` it to end its streams.

    >>> endpoint = await aio.get_inference_endpoint("chat")
    >>> client = endpoint.async_client
    """

    @property
    def chat(self) -> AsyncChat:
        """Chat as openai's client has it: `chat.completions.create` is `chat_completion`."""
        return AsyncChat(self)

    async def post(
        self: EndpointCalls,
        *,
        json: Any = None,
        data: bytes | None = None,
        path: str = "/",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> InferenceResponse:
        """Send JSON, or a file's content as `data`, to any route of the endpoint. Returns the unparsed answer.

        >>> response = await client.post(json={"inputs": "I like it."}, path="/predict")
        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        options = self._given("post", {"timeout": timeout}, {}).options
        inference, known = await self._inference()
        request: dict[str, Any] = {"body": json, "content": data, "path": path, "method": method, "headers": headers}
        return await inference.call(self.endpoint.name, self.namespace, **request, known=known, **options)

    async def health_check(self: EndpointCalls, model: str | None = None) -> bool:
        """Whether the endpoint's health route answers 200 within 5 seconds.

        >>> await client.health_check()
        True
        """
        self._given("health_check", {"model": model}, {})
        client = await client_of(self.api)
        return await client.is_healthy(self.endpoint, self.namespace)

    async def get_endpoint_info(
        self: EndpointCalls, *, model: str | None = None, timeout: float | None = None
    ) -> dict[str, Any]:
        """The engine's own description at `/info`: an object, if the engine serves it (TGI and TEI do).

        >>> info = await client.get_endpoint_info()
        >>> info["path"]
        '/info'
        """
        given: CallParameters = {"model": model, "timeout": timeout}
        options = self._given("get_endpoint_info", given, {}).options
        inference, known = await self._inference()
        name = self.endpoint.name
        response = await inference.call(name, self.namespace, path="/info", method="GET", known=known, **options)
        described: dict[str, Any] = response.json()
        return described

    async def close(self: EndpointCalls) -> None:
        """End the streams of this client that are still open. It can be used again.

        >>> await client.close()
        """
        await self._close_streams()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
