"""`endpoint.client`: the same methods without `await`."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, Unpack, overload

from inference_endpoints.blocking import blocking
from inference_endpoints.inference.chat.completions import ChatCompletion, ChatCompletionChunk
from inference_endpoints.inference.chat.messages import ChatSettings, Messages
from inference_endpoints.inference.generation.answer import TextGenerationOutput, TextGenerationStreamOutput
from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient
from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.generation import No
from inference_endpoints.inference.tasks.parameters import TextGenerationParameters

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def _twin(
    method: Callable[Concatenate[EndpointCalls, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[EndpointCalls, P], R]:
    return _of_client(blocking(method))


def _of_client(twin: F) -> F:
    """The twin of a method under its name in `InferenceClient`, wherever the method itself is written."""
    twin.__qualname__ = f"InferenceClient.{twin.__name__}"
    return twin


def _typed_as(method: Callable[..., Any]) -> Callable[[F], F]:
    """The twin of a method whose types are written out: no wrapper can express that a result becomes a generator."""

    def replaced(_: F) -> F:
        return _of_client(blocking(method))  # type: ignore[return-value]

    return replaced


class InferenceClient(EndpointCalls):
    """Calls one endpoint, with the methods, parameters and results of huggingface_hub's `InferenceClient`.

    Results have attributes and items; `dataclasses.asdict` makes plain data of them. Every method takes `timeout`, in
    seconds for the whole call, and `extra_body`, parameters of the engine's own. A call wakes an endpoint that is
    scaled to zero and waits for one that starts. Leave `with` or `close` the client to end its streams.

    All methods raise errors of `inference_endpoints.errors`, as `AsyncInference` does.

    >>> client = get_inference_endpoint("chat").client
    """

    @overload
    def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: Literal[False] = False, **settings: Unpack[ChatSettings]
    ) -> ChatCompletion: ...
    @overload
    def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: Literal[True], **settings: Unpack[ChatSettings]
    ) -> Generator[ChatCompletionChunk]: ...
    @overload
    def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: bool, **settings: Unpack[ChatSettings]
    ) -> ChatCompletion | Generator[ChatCompletionChunk]: ...
    @_typed_as(AsyncInferenceClient.chat_completion)
    def chat_completion(
        self: EndpointCalls, messages: Messages, *, stream: bool = False, **settings: Unpack[ChatSettings]
    ) -> Any: ...

    @overload
    def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: No = None,
        stream: No = None,
        **parameters: Unpack[TextGenerationParameters],
    ) -> str: ...
    @overload
    def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: Literal[True],
        stream: No = None,
        **parameters: Unpack[TextGenerationParameters],
    ) -> TextGenerationOutput: ...
    @overload
    def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: No = None,
        stream: Literal[True],
        **parameters: Unpack[TextGenerationParameters],
    ) -> Generator[str]: ...
    @overload
    def text_generation(
        self: EndpointCalls,
        prompt: str,
        *,
        details: Literal[True],
        stream: Literal[True],
        **parameters: Unpack[TextGenerationParameters],
    ) -> Generator[TextGenerationStreamOutput]: ...
    @_typed_as(AsyncInferenceClient.text_generation)
    def text_generation(self: EndpointCalls, prompt: str, **parameters: Any) -> Any: ...

    feature_extraction = _twin(AsyncInferenceClient.feature_extraction)
    sentence_similarity = _twin(AsyncInferenceClient.sentence_similarity)
    text_classification = _twin(AsyncInferenceClient.text_classification)
    zero_shot_classification = _twin(AsyncInferenceClient.zero_shot_classification)
    token_classification = _twin(AsyncInferenceClient.token_classification)
    fill_mask = _twin(AsyncInferenceClient.fill_mask)
    question_answering = _twin(AsyncInferenceClient.question_answering)
    table_question_answering = _twin(AsyncInferenceClient.table_question_answering)
    tabular_classification = _twin(AsyncInferenceClient.tabular_classification)
    summarization = _twin(AsyncInferenceClient.summarization)
    translation = _twin(AsyncInferenceClient.translation)
    automatic_speech_recognition = _twin(AsyncInferenceClient.automatic_speech_recognition)
    audio_classification = _twin(AsyncInferenceClient.audio_classification)
    audio_to_audio = _twin(AsyncInferenceClient.audio_to_audio)
    text_to_speech = _twin(AsyncInferenceClient.text_to_speech)
    image_classification = _twin(AsyncInferenceClient.image_classification)
    zero_shot_image_classification = _twin(AsyncInferenceClient.zero_shot_image_classification)
    image_segmentation = _twin(AsyncInferenceClient.image_segmentation)
    object_detection = _twin(AsyncInferenceClient.object_detection)
    image_to_text = _twin(AsyncInferenceClient.image_to_text)
    visual_question_answering = _twin(AsyncInferenceClient.visual_question_answering)
    document_question_answering = _twin(AsyncInferenceClient.document_question_answering)
    text_to_image = _twin(AsyncInferenceClient.text_to_image)
    image_to_image = _twin(AsyncInferenceClient.image_to_image)
    post = _twin(AsyncInferenceClient.post)
    health_check = _twin(AsyncInferenceClient.health_check)
    get_endpoint_info = _twin(AsyncInferenceClient.get_endpoint_info)
    close = _twin(AsyncInferenceClient.close)

    @property
    def chat(self) -> "Chat":
        """Chat as openai's client has it: `chat.completions.create` is `chat_completion`."""
        return Chat(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Completions(EndpointCalls):
    """`client.chat.completions`: what is set on the client, such as its timeout, holds here too."""

    def __init__(self, client: EndpointCalls) -> None:
        self.__dict__ = client.__dict__

    create = InferenceClient.chat_completion


class Chat:
    """`client.chat`."""

    def __init__(self, client: EndpointCalls) -> None:
        self.completions = Completions(client)
