"""The tasks on images and sounds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack, cast

from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.media_files import MediaFile, as_image
from inference_endpoints.inference.hub_client.results import (
    AudioToAudioOutputElement,
    ImageSegmentationOutputElement,
    ImageToTextOutput,
)
from inference_endpoints.inference.hub_client.signatures import named_parameters
from inference_endpoints.inference.tasks.outputs import Answer, DetectedObject, Label, Media, Transcript
from inference_endpoints.inference.tasks.parameters import (
    CallParameters,
    ClassificationParameters,
    DocumentQuestionAnsweringParameters,
    ImageSegmentationParameters,
    ImageToImageParameters,
    ImageToTextParameters,
    ObjectDetectionParameters,
    SpeechRecognitionParameters,
    TextToImageParameters,
    TextToSpeechParameters,
    VisualQuestionAnsweringParameters,
    ZeroShotParameters,
)

if TYPE_CHECKING:
    from PIL.Image import Image


class MediaTasks(EndpointCalls):
    """Tasks on images and sounds, to be awaited."""

    @named_parameters
    async def automatic_speech_recognition(
        self: EndpointCalls, audio: MediaFile, **parameters: Unpack[SpeechRecognitionParameters]
    ) -> Transcript:
        """Transcribe a recording. With `return_timestamps`, `chunks` of the answer says when.

        >>> heard = await client.automatic_speech_recognition(b"fLaC...")
        >>> heard.text
        'It rains.'
        """
        found = await self._run("automatic-speech-recognition", {"audio": audio}, parameters)
        return cast("Transcript", found)

    @named_parameters
    async def audio_classification(
        self: EndpointCalls, audio: MediaFile, **parameters: Unpack[ClassificationParameters]
    ) -> list[Label]:
        """Classify a recording: labels with scores, best first.

        >>> await client.audio_classification(b"fLaC...")
        [Label(label='rain', score=0.9)]
        """
        return cast("list[Label]", await self._run("audio-classification", {"audio": audio}, parameters))

    @named_parameters
    async def audio_to_audio(
        self: EndpointCalls, audio: MediaFile, **parameters: Unpack[CallParameters]
    ) -> list[AudioToAudioOutputElement]:
        """Change a recording, for example into one for each voice. `blob` is a file.

        >>> parts = await client.audio_to_audio(b"fLaC...")
        >>> parts[0].label, parts[0].content_type, parts[0].blob
        ('speech', 'audio/flac', b'fLaC')
        """
        parts = await self._run("audio-to-audio", {"audio": audio}, parameters)
        return [AudioToAudioOutputElement.of(part) for part in parts]

    @named_parameters
    async def text_to_speech(self: EndpointCalls, text: str, **parameters: Unpack[TextToSpeechParameters]) -> bytes:
        """Generate a sound file with speech.

        >>> sound = await client.text_to_speech("It rains.")
        >>> sound[:4]
        b'fLaC'
        """
        return cast("Media", await self._run("text-to-speech", {"text": text}, parameters)).content

    @named_parameters
    async def image_classification(
        self: EndpointCalls, image: MediaFile, **parameters: Unpack[ClassificationParameters]
    ) -> list[Label]:
        """Classify an image: labels with scores, best first.

        >>> await client.image_classification(b"GIF89a...")
        [Label(label='cat', score=0.9)]
        """
        return cast("list[Label]", await self._run("image-classification", {"image": image}, parameters))

    @named_parameters
    async def zero_shot_image_classification(
        self: EndpointCalls, image: MediaFile, candidate_labels: Sequence[str], **parameters: Unpack[ZeroShotParameters]
    ) -> list[Label]:
        """Score how well each label fits an image.

        >>> labels = await client.zero_shot_image_classification(b"GIF89a...", ["cat", "dog"])
        >>> labels[0].label
        'cat'
        """
        own = {"candidate_labels": candidate_labels, **parameters}
        return cast("list[Label]", await self._run("zero-shot-image-classification", {"image": image}, own))

    @named_parameters
    async def image_segmentation(
        self: EndpointCalls, image: MediaFile, **parameters: Unpack[ImageSegmentationParameters]
    ) -> list[ImageSegmentationOutputElement]:
        """Find the segments of an image, with their masks as images of Pillow, where it is installed.

        >>> [segment.label for segment in await client.image_segmentation(b"GIF89a...")]
        ['cat']
        """
        segments = await self._run("image-segmentation", {"image": image}, parameters)
        return [ImageSegmentationOutputElement.of(segment) for segment in segments]

    @named_parameters
    async def object_detection(
        self: EndpointCalls, image: MediaFile, **parameters: Unpack[ObjectDetectionParameters]
    ) -> list[DetectedObject]:
        """Find the objects in an image, with their boxes in pixels, surest first.

        >>> found = await client.object_detection(b"GIF89a...")
        >>> found[0].label, found[0].box.xmin
        ('cat', 1.0)
        """
        return cast("list[DetectedObject]", await self._run("object-detection", {"image": image}, parameters))

    @named_parameters
    async def image_to_text(
        self: EndpointCalls, image: MediaFile, **parameters: Unpack[ImageToTextParameters]
    ) -> ImageToTextOutput:
        """Describe an image.

        >>> described = await client.image_to_text(b"GIF89a...")
        >>> described.generated_text
        'a cat on a sofa'
        """
        return ImageToTextOutput(await self._run("image-to-text", {"image": image}, parameters))

    @named_parameters
    async def visual_question_answering(
        self: EndpointCalls, image: MediaFile, question: str, **parameters: Unpack[VisualQuestionAnsweringParameters]
    ) -> list[Answer]:
        """Answer a question about an image: answers, best first.

        >>> answers = await client.visual_question_answering(b"GIF89a...", "Which animal is it?")
        >>> answers[0].answer
        'cat'
        """
        asked = {"image": image, "question": question}
        return cast("list[Answer]", await self._run("visual-question-answering", asked, parameters))

    @named_parameters
    async def document_question_answering(
        self: EndpointCalls, image: MediaFile, question: str, **parameters: Unpack[DocumentQuestionAnsweringParameters]
    ) -> list[Answer]:
        """Answer a question about the image of a document: answers, best first. They count the document's words.

        >>> answers = await client.document_question_answering(b"GIF89a...", "What is the total?")
        >>> answers[0].answer
        '42'
        """
        asked = {"image": image, "question": question}
        return cast("list[Answer]", await self._run("document-question-answering", asked, parameters))

    @named_parameters
    async def text_to_image(self: EndpointCalls, prompt: str, **parameters: Unpack[TextToImageParameters]) -> "Image":
        """Generate an image of Pillow; a `Media` where Pillow is not installed. `height` and `width` are in pixels.

        >>> image = await client.text_to_image("a cat", seed=1)
        >>> image.save("cat.png")
        """
        return as_image(await self._run("text-to-image", {"text": prompt}, parameters))

    @named_parameters
    async def image_to_image(
        self: EndpointCalls, image: MediaFile, prompt: str | None = None, **parameters: Unpack[ImageToImageParameters]
    ) -> "Image":
        """Change an image as the prompt says: an image of Pillow, or a `Media` where Pillow is not installed.

        >>> image = await client.image_to_image(b"GIF89a...", "a cat with a hat")
        >>> image.save("cat.png")
        """
        own = {"prompt": prompt, **parameters}
        return as_image(await self._run("image-to-image", {"image": image}, own))
