"""Clients of one endpoint, with the method names of huggingface_hub's `InferenceClient`.

Two things differ: results are plain (text, numbers, the outputs of `tasks/`, the bytes of an image), and a call wakes
an endpoint that is scaled to zero and waits for one that is starting.
"""

import functools
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, cast, overload

import anyio

from inference_endpoints.blocking import blocking
from inference_endpoints.client_pool import client_of
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.chat.answer import ChatDelta
from inference_endpoints.inference.chat.completions import ChatCompletion, ChatCompletionChunk
from inference_endpoints.inference.chat.messages import Messages
from inference_endpoints.inference.endpoint_inference import EndpointInference
from inference_endpoints.inference.tasks.outputs import (
    Answer,
    DetectedObject,
    Entity,
    Label,
    MaskCandidate,
    Media,
    Segment,
    TableAnswer,
    Transcript,
)

MediaFile = bytes | str | Path
"""A file's content, or its path on this machine."""


def _chat_settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a chat in the form of `AsyncInference`: two by name, the others as `parameters`."""
    given = {name: value for name, value in parameters.items() if value is not None}
    given |= given.pop("extra_body", {})
    named = {name: given.pop(name, None) for name in ("max_tokens", "temperature")}
    return {**named, "parameters": given}


async def _read_media(media: MediaFile) -> bytes:
    return media if isinstance(media, bytes) else await anyio.Path(media).read_bytes()


class AsyncInferenceClient(EndpointInference):
    """Calls one endpoint. `parameters` are those of the task, with huggingface_hub's names; None is left out.

    Raises errors of `inference_endpoints.errors`, as `AsyncInference` does.

    >>> endpoint = await aio.get_inference_endpoint("chat")
    >>> client = endpoint.async_client
    """

    # `self` is any client: the blocking one calls these methods with itself (see blocking.py).

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
        """Answer a conversation; with `stream`, as chunks when they arrive. `parameters`: max_tokens, stop, tools, …

        Close the stream (`contextlib.aclosing`) if you stop early.

        >>> completion = await client.chat_completion([{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> completion.choices[0].message.content
        'Hello!'
        """
        inference, known = await self._inference()
        name, settings = self.endpoint.name, _chat_settings(parameters)
        if stream:
            return _to_chunks(
                inference.stream_chat(name, messages, self.namespace, known=known, **settings, **self._options)
            )
        response = await inference.chat(name, messages, self.namespace, known=known, **settings, **self._options)
        return ChatCompletion.of(response)

    async def text_generation(self: EndpointInference, prompt: str, **parameters: Any) -> str:
        """Continue a text. `parameters`: max_new_tokens, temperature, return_full_text, …

        >>> await client.text_generation("Once", max_new_tokens=4)
        'Once upon a time'
        """
        return cast("str", await self._task("text-generation", prompt, parameters))

    async def feature_extraction(
        self: EndpointInference, text: str | Sequence[str], **parameters: Any
    ) -> list[list[float]]:
        """Embed texts: a list of vectors, even for one text. `parameters`: normalize, truncate, dimensions.

        >>> await client.feature_extraction("It rains.", normalize=True)
        [[0.1, 0.2]]
        """
        texts = [text] if isinstance(text, str) else list(text)
        return cast("list[list[float]]", await self._task("feature-extraction", texts, parameters))

    async def sentence_similarity(
        self: EndpointInference, sentence: str, other_sentences: Sequence[str], **parameters: Any
    ) -> list[float]:
        """Compare a sentence to each of the others, from -1 to 1.

        >>> await client.sentence_similarity("It rains.", ["It is wet.", "I like cats."])
        [0.9, 0.1]
        """
        pair = {"source_sentence": sentence, "sentences": list(other_sentences)}
        return cast("list[float]", await self._task("sentence-similarity", pair, parameters))

    async def text_classification(self: EndpointInference, text: str, **parameters: Any) -> list[Label]:
        """Classify a text: labels with scores. `parameters`: top_k, function_to_apply.

        >>> await client.text_classification("I like it.", top_k=1)
        [Label(label='POSITIVE', score=0.9)]
        """
        return cast("list[Label]", await self._task("text-classification", text, parameters))

    async def zero_shot_classification(
        self: EndpointInference,
        text: str,
        candidate_labels: Sequence[str],
        *,
        multi_label: bool | None = False,
        **parameters: Any,
    ) -> list[Label]:
        """Score how well each label fits a text. `multi_label`: the scores are independent of each other.

        >>> labels = await client.zero_shot_classification("It rains.", ["weather", "sport"])
        >>> labels[0].label
        'weather'
        """
        given = {"candidate_labels": list(candidate_labels), "multi_label": multi_label, **parameters}
        return cast("list[Label]", await self._task("zero-shot-classification", text, given))

    async def token_classification(self: EndpointInference, text: str, **parameters: Any) -> list[Entity]:
        """Find the entities of a text: a list of objects.

        >>> entities = await client.token_classification("I live in Paris.")
        >>> entities[0]["word"]
        'Paris'
        """
        return cast("list[Entity]", await self._task("token-classification", text, parameters))

    async def fill_mask(self: EndpointInference, text: str, **parameters: Any) -> list[MaskCandidate]:
        """Fill the mask in a text: a list of candidates, as objects.

        >>> candidates = await client.fill_mask("It [MASK].")
        >>> candidates[0]["token_str"]
        'rains'
        """
        return cast("list[MaskCandidate]", await self._task("fill-mask", text, parameters))

    async def question_answering(
        self: EndpointInference, question: str, context: str, **parameters: Any
    ) -> Answer | list[Answer]:
        """Find the part of the context that answers the question: an object, or with `top_k` a list of objects.

        >>> found = await client.question_answering("Where do I live?", context="I live in Paris.")
        >>> found["answer"]
        'Paris'
        """
        pair = {"question": question, "context": context}
        answers = cast("list[Answer]", await self._task("question-answering", pair, parameters))
        return answers[0] if len(answers) == 1 else answers

    async def table_question_answering(
        self: EndpointInference, table: Mapping[str, Any], query: str, **parameters: Any
    ) -> TableAnswer:
        """Find the cells of a table that answer the query: an object.

        >>> found = await client.table_question_answering({"answers": ["42"]}, "Which answer?")
        >>> found["cells"]
        ['42']
        """
        question = {"query": query, "table": dict(table)}
        return cast("TableAnswer", await self._task("table-question-answering", question, parameters))

    async def summarization(self: EndpointInference, text: str, **parameters: Any) -> str:
        """Summarize a text. `parameters`: clean_up_tokenization_spaces, truncation, …

        >>> await client.summarization("Water falls from the sky, and has done so all day.")
        'It rains.'
        """
        return cast("str", await self._task("summarization", text, parameters))

    async def translation(self: EndpointInference, text: str, **parameters: Any) -> str:
        """Translate a text. `parameters`: src_lang, tgt_lang, …

        >>> await client.translation("It rains.", src_lang="en", tgt_lang="de")
        'Es regnet.'
        """
        return cast("str", await self._task("translation", text, parameters))

    async def automatic_speech_recognition(self: EndpointInference, audio: MediaFile, **parameters: Any) -> str:
        """Transcribe a recording.

        >>> await client.automatic_speech_recognition(b"fLaC...")
        'It rains.'
        """
        sound = await _read_media(audio)
        return cast("Transcript", await self._task("automatic-speech-recognition", sound, parameters)).text

    async def audio_classification(self: EndpointInference, audio: MediaFile, **parameters: Any) -> list[Label]:
        """Classify a recording: labels with scores.

        >>> await client.audio_classification(b"fLaC...")
        [Label(label='rain', score=0.9)]
        """
        return cast("list[Label]", await self._task("audio-classification", await _read_media(audio), parameters))

    async def image_classification(self: EndpointInference, image: MediaFile, **parameters: Any) -> list[Label]:
        """Classify an image: labels with scores.

        >>> await client.image_classification(b"GIF89a...")
        [Label(label='cat', score=0.9)]
        """
        return cast("list[Label]", await self._task("image-classification", await _read_media(image), parameters))

    async def image_segmentation(self: EndpointInference, image: MediaFile, **parameters: Any) -> list[Segment]:
        """Find the segments of an image, with their masks: a list of objects.

        >>> [segment["label"] for segment in await client.image_segmentation(b"GIF89a...")]
        ['cat']
        """
        return cast("list[Segment]", await self._task("image-segmentation", await _read_media(image), parameters))

    async def object_detection(self: EndpointInference, image: MediaFile, **parameters: Any) -> list[DetectedObject]:
        """Find the objects in an image, with their boxes: a list of objects.

        >>> [found["label"] for found in await client.object_detection(b"GIF89a...")]
        ['cat']
        """
        found = await self._task("object-detection", await _read_media(image), parameters)
        return cast("list[DetectedObject]", found)

    async def image_to_text(self: EndpointInference, image: MediaFile, **parameters: Any) -> str:
        """Describe an image.

        >>> await client.image_to_text(b"GIF89a...")
        'a cat on a sofa'
        """
        return cast("str", await self._task("image-to-text", await _read_media(image), parameters))

    async def text_to_image(self: EndpointInference, prompt: str, **parameters: Any) -> bytes:
        """Generate an image file. `parameters`: height and width in pixels, num_inference_steps, seed, …

        >>> image = await client.text_to_image("a cat", seed=1)
        >>> image[:4]
        b'\\x89PNG'
        """
        return cast("Media", await self._task("text-to-image", prompt, parameters)).content

    async def text_to_speech(self: EndpointInference, text: str, **parameters: Any) -> bytes:
        """Generate a sound file with speech.

        >>> sound = await client.text_to_speech("It rains.")
        >>> sound[:4]
        b'fLaC'
        """
        return cast("Media", await self._task("text-to-speech", text, parameters)).content

    async def post(
        self: EndpointInference,
        *,
        json: Any = None,
        data: bytes | None = None,
        path: str = "/",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> InferenceResponse:
        """Send JSON, or a file's content as `data`, to any route of the endpoint. Returns the unparsed answer.

        >>> response = await client.post(json={"inputs": "I like it."}, path="/predict")
        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        inference, known = await self._inference()
        request: dict[str, Any] = {"body": json, "content": data, "path": path, "method": method, "headers": headers}
        return await inference.call(self.endpoint.name, self.namespace, **request, known=known, **self._options)

    async def health_check(self: EndpointInference) -> bool:
        """Whether the endpoint's health route answers 200 within 5 seconds.

        >>> await client.health_check()
        True
        """
        client = await client_of(self.api)
        return await client.is_healthy(self.endpoint, self.namespace)

    async def get_endpoint_info(self: EndpointInference) -> Any:
        """The engine's own description at `/info`: an object, if the engine serves it (TGI and TEI do).

        >>> info = await client.get_endpoint_info()
        >>> info["path"]
        '/info'
        """
        inference, known = await self._inference()
        name = self.endpoint.name
        response = await inference.call(name, self.namespace, path="/info", method="GET", known=known, **self._options)
        return response.json()


async def _to_chunks(deltas: AsyncGenerator[ChatDelta]) -> AsyncGenerator[ChatCompletionChunk]:
    async with aclosing(deltas):
        async for delta in deltas:
            yield ChatCompletionChunk.of(delta)


class InferenceClient(EndpointInference):
    """Calls one endpoint: `AsyncInferenceClient` without `await`.

    A stream is a generator; close it (`contextlib.closing`) if you stop early.

    >>> client = get_inference_endpoint("chat").client
    """

    # Written out: no wrapper's type can express that one of two results becomes a generator.
    @overload
    def chat_completion(
        self, messages: Messages, *, stream: Literal[False] = False, **parameters: Any
    ) -> ChatCompletion: ...
    @overload
    def chat_completion(
        self, messages: Messages, *, stream: Literal[True], **parameters: Any
    ) -> Generator[ChatCompletionChunk]: ...
    @functools.wraps(blocking(AsyncInferenceClient.chat_completion), assigned=["__doc__"])
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
