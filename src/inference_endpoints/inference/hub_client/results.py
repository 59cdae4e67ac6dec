"""What the clients return where huggingface_hub's form differs from that of the table of tasks."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from inference_endpoints.inference.hub_client.media_files import as_image
from inference_endpoints.inference.tasks.outputs import LabelledSound, Output, Segment, keep_extra

if TYPE_CHECKING:
    from numpy import ndarray
    from PIL.Image import Image


@dataclass(frozen=True)
class SummarizationOutput(Output):
    summary_text: str


@dataclass(frozen=True)
class TranslationOutput(Output):
    translation_text: str


@dataclass(frozen=True)
class ImageToTextOutput(Output):
    generated_text: str


@dataclass(frozen=True)
class ImageSegmentationOutputElement(Output):
    """A part of an image. `mask` is a black and white image of its size; a `Media` where Pillow is not installed."""

    label: str
    score: float | None = None
    mask: Optional["Image"] = None

    @classmethod
    def of(cls, segment: Segment) -> "ImageSegmentationOutputElement":
        mask = None if segment.mask is None else as_image(segment.mask)
        return keep_extra(cls(segment.label, segment.score, mask), vars(segment))


@dataclass(frozen=True)
class AudioToAudioOutputElement(Output):
    """A part of a recording, and what it is. `blob` is a file of the type `content_type`."""

    label: str
    blob: bytes = field(repr=False)
    content_type: str

    @classmethod
    def of(cls, part: LabelledSound) -> "AudioToAudioOutputElement":
        return cls(part.label, part.sound.content, part.sound.media_type)


def as_array(vectors: list[Any]) -> "ndarray[Any, Any]":
    """The vectors as an array of 32-bit floats; as they are where numpy is not installed, or their sizes differ."""
    try:
        import numpy
    except ImportError:
        return vectors  # type: ignore[return-value]
    try:
        return numpy.array(vectors, dtype="float32")
    except (TypeError, ValueError):  # sparse vectors, or a vector for each token
        return vectors  # type: ignore[return-value]
