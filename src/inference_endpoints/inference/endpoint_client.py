"""Clients of one endpoint, with the method names of huggingface_hub's `InferenceClient`.

What differs from it: answers are plain (text, numbers, `Label`s, JSON as it came, the bytes of an image), and an
endpoint that is asleep or starting is woken and awaited.
"""

import functools
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import anyio

from inference_endpoints.blocking import blocking
from inference_endpoints.client_pool import Api, client_of
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.chat import ChatDelta, Messages
from inference_endpoints.inference.client import AsyncInference, Reply, Waiting
from inference_endpoints.inference.completions import ChatCompletion, ChatCompletionChunk
from inference_endpoints.inference.tasks import Label
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

Media = bytes | str | Path
"""A file's content, or where it is on this machine."""
_NOT_PARAMETERS = {
    "model": "a client of an endpoint calls its model and no other",
    "stream": "only chat_completion streams",
    "details": "post gives the answer as it came",
}


@dataclass
class EndpointInference:
    """One endpoint as it was when the client was made.

    `timeout` is in seconds, for each call in all; `wake` says whether an endpoint that is asleep may be woken, which is
    billed. Both may be set at any time.
    """

    endpoint: Endpoint
    namespace: str
    api: Api
    timeout: float = 120.0
    wake: bool = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.namespace}/{self.endpoint.name}', url={self.endpoint.url!r})"

    async def _inference(self) -> AsyncInference:
        client = await client_of(self.api)
        # Where it matters whether a call wakes the endpoint, what was last seen of it is not enough.
        trusted = self.wake and client.http.guard is None and self.endpoint.state is InferenceEndpointStatus.RUNNING
        return AsyncInference(client, running=self.endpoint if trusted else None)

    async def _task(self, task: str, inputs: Any, parameters: Mapping[str, Any]) -> Any:
        inference, name = await self._inference(), self.endpoint.name
        given = _given(parameters)
        return await inference.run(name, task, inputs, self.namespace, parameters=given, **self._waiting)

    @property
    def _waiting(self) -> Waiting:
        return {"timeout": self.timeout, "wake": self.wake}


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are set. Raises `BadRequest` for huggingface_hub's arguments that are none of the task's."""
    given = {name: value for name, value in parameters.items() if value is not None}
    for name in _NOT_PARAMETERS.keys() & given:
        if given.pop(name):
            raise BadRequest(f"{name} cannot be given here: {_NOT_PARAMETERS[name]}.")
    return given


def _said(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a chat, as `AsyncInference` takes them: two by name, the others together."""
    given = {name: value for name, value in parameters.items() if value is not None}
    named = {name: given.pop(name, None) for name in ("max_tokens", "temperature")}
    return {**named, "parameters": given}


async def _content(media: Media) -> bytes:
    return media if isinstance(media, bytes) else await anyio.Path(media).read_bytes()


class AsyncInferenceClient(EndpointInference):
    """Calls one endpoint. `parameters` are those of the task, as huggingface_hub names them; None is left out.

    Raises errors of `inference_endpoints.errors`, as `AsyncInference` does.
    """

    # `self` is any client: a blocking one lends itself to these methods (see blocking.py).

    @overload
    async def chat_completion(
        self: EndpointInference, messages: Messages, *, stream: Literal[False] = False, **parameters: Any
    ) -> ChatCompletion: ...
    @overload
    async def chat_completion(
        self: EndpointInference, messages: Messages, *, stream: Literal[True], **parameters: Any
    ) -> AsyncGenerator[ChatCompletionChunk]: ...
    async def chat_completion(
        self: EndpointInference, messages: Messages, *, stream: bool = False, **parameters: Any
    ) -> ChatCompletion | AsyncGenerator[ChatCompletionChunk]:
        """An answer to a conversation; with `stream`, its steps as they come. `parameters`: max_tokens, stop, tools, …

        Close the steps (`contextlib.aclosing`) when leaving them early.
        """
        inference, name = await self._inference(), self.endpoint.name
        if stream:
            return _chunks(inference.stream_chat(name, messages, self.namespace, **_said(parameters), **self._waiting))
        answer = await inference.chat(name, messages, self.namespace, **_said(parameters), **self._waiting)
        return ChatCompletion.of(answer)

    async def text_generation(self: EndpointInference, prompt: str, **parameters: Any) -> str:
        """How a text goes on. `parameters`: max_new_tokens, temperature, return_full_text, …"""
        text: str = await self._task("text-generation", prompt, parameters)
        return text

    async def feature_extraction(
        self: EndpointInference, text: str | Sequence[str], **parameters: Any
    ) -> list[list[float]]:
        """One vector for each text, in a list even for one text. `parameters`: normalize, truncate, dimensions."""
        texts = text if isinstance(text, str) else list(text)
        vectors: list[list[float]] = await self._task("feature-extraction", texts, parameters)
        return vectors

    async def sentence_similarity(
        self: EndpointInference, sentence: str, other_sentences: Sequence[str], **parameters: Any
    ) -> list[float]:
        """How similar each of the others is to a sentence, from -1 to 1."""
        pair = {"source_sentence": sentence, "sentences": list(other_sentences)}
        similarities: list[float] = await self._task("sentence-similarity", pair, parameters)
        return similarities

    async def text_classification(self: EndpointInference, text: str, **parameters: Any) -> list[Label]:
        """The classes of a text with their scores. `parameters`: top_k, function_to_apply."""
        labels: list[Label] = await self._task("text-classification", text, parameters)
        return labels

    async def zero_shot_classification(
        self: EndpointInference,
        text: str,
        candidate_labels: Sequence[str],
        *,
        multi_label: bool | None = False,
        **parameters: Any,
    ) -> list[Label]:
        """How well each of the labels fits a text. `multi_label`: each is judged for itself."""
        given = {"candidate_labels": list(candidate_labels), "multi_label": multi_label, **parameters}
        labels: list[Label] = await self._task("zero-shot-classification", text, given)
        return labels

    async def token_classification(self: EndpointInference, text: str, **parameters: Any) -> Any:
        """What is named in a text, and where: a list of objects."""
        return await self._task("token-classification", text, parameters)

    async def fill_mask(self: EndpointInference, text: str, **parameters: Any) -> Any:
        """What could stand in the place of the mask: a list of objects."""
        return await self._task("fill-mask", text, parameters)

    async def question_answering(self: EndpointInference, question: str, context: str, **parameters: Any) -> Any:
        """The part of the context that answers the question: an object, or a list of them with `top_k`."""
        return await self._task("question-answering", {"question": question, "context": context}, parameters)

    async def table_question_answering(
        self: EndpointInference, table: Mapping[str, Any], query: str, **parameters: Any
    ) -> Any:
        """The cells of a table that answer the query: an object."""
        return await self._task("table-question-answering", {"query": query, "table": dict(table)}, parameters)

    async def summarization(self: EndpointInference, text: str, **parameters: Any) -> str:
        summary: str = await self._task("summarization", text, parameters)
        return summary

    async def translation(self: EndpointInference, text: str, **parameters: Any) -> str:
        """The text in another language. `parameters`: src_lang, tgt_lang, …"""
        text_there: str = await self._task("translation", text, parameters)
        return text_there

    async def automatic_speech_recognition(self: EndpointInference, audio: Media, **parameters: Any) -> str:
        """What is said in a recording."""
        text: str = await self._task("automatic-speech-recognition", await _content(audio), parameters)
        return text

    async def audio_classification(self: EndpointInference, audio: Media, **parameters: Any) -> list[Label]:
        labels: list[Label] = await self._task("audio-classification", await _content(audio), parameters)
        return labels

    async def image_classification(self: EndpointInference, image: Media, **parameters: Any) -> list[Label]:
        labels: list[Label] = await self._task("image-classification", await _content(image), parameters)
        return labels

    async def image_segmentation(self: EndpointInference, image: Media, **parameters: Any) -> Any:
        """The parts of an image with their masks: a list of objects."""
        return await self._task("image-segmentation", await _content(image), parameters)

    async def object_detection(self: EndpointInference, image: Media, **parameters: Any) -> Any:
        """What is in an image, and where: a list of objects."""
        return await self._task("object-detection", await _content(image), parameters)

    async def image_to_text(self: EndpointInference, image: Media, **parameters: Any) -> str:
        text: str = await self._task("image-to-text", await _content(image), parameters)
        return text

    async def text_to_image(self: EndpointInference, prompt: str, **parameters: Any) -> bytes:
        """An image as a file's content. `parameters`: height and width in pixels, num_inference_steps, seed, …"""
        image: bytes = await self._task("text-to-image", prompt, parameters)
        return image

    async def text_to_speech(self: EndpointInference, text: str, **parameters: Any) -> bytes:
        """Speech as a sound file's content."""
        sound: bytes = await self._task("text-to-speech", text, parameters)
        return sound

    async def post(
        self: EndpointInference,
        *,
        json: Any = None,
        data: bytes | None = None,
        path: str = "/",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON, or a file's content as `data`, to any route of the endpoint: its answer as it came."""
        inference, name = await self._inference(), self.endpoint.name
        return await inference.call(
            name, self.namespace, body=json, content=data, path=path, method=method, headers=headers, **self._waiting
        )

    async def health_check(self: EndpointInference) -> bool:
        """Whether the endpoint's health route answers 200 within 5 seconds."""
        client = await client_of(self.api)
        return await client.is_healthy(self.endpoint, self.namespace)

    async def get_endpoint_info(self: EndpointInference) -> Any:
        """What the engine says of itself at `/info`: an object, where it serves that (TGI and TEI do)."""
        inference, name = await self._inference(), self.endpoint.name
        reply = await inference.call(name, self.namespace, path="/info", method="GET", **self._waiting)
        return reply.json()


async def _chunks(deltas: AsyncGenerator[ChatDelta]) -> AsyncGenerator[ChatCompletionChunk]:
    async with aclosing(deltas):
        async for delta in deltas:
            yield ChatCompletionChunk.of(delta)


class InferenceClient(EndpointInference):
    """Calls one endpoint: `AsyncInferenceClient` without `await`.

    A stream is a generator; close it (`contextlib.closing`) when leaving it early.
    """

    # By hand: no wrapper's type can say that one of two answers becomes a generator.
    @overload
    def chat_completion(
        self, messages: Messages, *, stream: Literal[False] = False, **parameters: Any
    ) -> ChatCompletion: ...
    @overload
    def chat_completion(
        self, messages: Messages, *, stream: Literal[True], **parameters: Any
    ) -> Generator[ChatCompletionChunk]: ...
    @functools.wraps(AsyncInferenceClient.chat_completion, assigned=["__doc__"])
    def chat_completion(self, messages: Messages, **parameters: Any) -> Any:
        return blocking(AsyncInferenceClient.chat_completion)(self, messages, **parameters)

    text_generation = blocking(AsyncInferenceClient.text_generation)
    feature_extraction = blocking(AsyncInferenceClient.feature_extraction)
    sentence_similarity = blocking(AsyncInferenceClient.sentence_similarity)
    text_classification = blocking(AsyncInferenceClient.text_classification)
    zero_shot_classification = blocking(AsyncInferenceClient.zero_shot_classification)
    token_classification = blocking(AsyncInferenceClient.token_classification)
    fill_mask = blocking(AsyncInferenceClient.fill_mask)
    question_answering = blocking(AsyncInferenceClient.question_answering)
    table_question_answering = blocking(AsyncInferenceClient.table_question_answering)
    summarization = blocking(AsyncInferenceClient.summarization)
    translation = blocking(AsyncInferenceClient.translation)
    automatic_speech_recognition = blocking(AsyncInferenceClient.automatic_speech_recognition)
    audio_classification = blocking(AsyncInferenceClient.audio_classification)
    image_classification = blocking(AsyncInferenceClient.image_classification)
    image_segmentation = blocking(AsyncInferenceClient.image_segmentation)
    object_detection = blocking(AsyncInferenceClient.object_detection)
    image_to_text = blocking(AsyncInferenceClient.image_to_text)
    text_to_image = blocking(AsyncInferenceClient.text_to_image)
    text_to_speech = blocking(AsyncInferenceClient.text_to_speech)
    post = blocking(AsyncInferenceClient.post)
    health_check = blocking(AsyncInferenceClient.health_check)
    get_endpoint_info = blocking(AsyncInferenceClient.get_endpoint_info)
