"""What tasks return, each in one shape whatever the engine answered. Fields are read as attributes or as items.

The names are those of the published task schemas of huggingface.js. What an engine leaves out is None.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

Vector = list[float]
TokenVectors = list[list[float]]
"""A vector for each token of a text, where the model does not pool them."""
SparseVector = dict[int, float]
"""The weights that are not zero, by their index in the vocabulary."""
Embedding = Vector | TokenVectors | SparseVector


class Output:
    """Fields are attributes, and items by the same names: `dict(output)` has them all.

    What an engine sends beside the published fields is read in the same ways. `dataclasses.asdict` leaves it out.
    """

    def keys(self) -> list[str]:
        """The names of the fields, as a mapping has them.

        >>> dict(labels[0]), labels[0].keys()
        ({'label': 'POSITIVE', 'score': 0.9}, ['label', 'score'])
        """
        return list(self.__dict__)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or the default for an unknown name.

        >>> labels[0].get("score"), labels[0].get("rank", 1)
        (0.9, 1)
        """
        return getattr(self, name) if name in self else default


AnOutput = TypeVar("AnOutput", bound=Output)


def keep_extra(output: AnOutput, row: Mapping[str, Any], read: Collection[str] = ()) -> AnOutput:
    """The output, with the further fields of its row. Those that were `read` under another name are left out, and one
    that has the name of an attribute."""
    output.__dict__.update({name: row[name] for name in row if name not in read and not hasattr(output, name)})
    return output


@dataclass(frozen=True)
class Label(Output):
    """One class of a classifier, with its score.

    >>> labels = get_inference_endpoint("chat").client.text_classification("I like it.")
    >>> labels[0].label, labels[0].score
    ('POSITIVE', 0.9)
    """

    label: str
    score: float


@dataclass(frozen=True)
class Entity(Output):
    """A part of a text. `start` and `end` count characters. Several tokens have an `entity_group`, one an `entity`."""

    word: str
    score: float | None = None
    start: int | None = None
    end: int | None = None
    entity_group: str | None = None
    entity: str | None = None


@dataclass(frozen=True)
class Answer(Output):
    """An answer to a question. `start` and `end` count the characters of the context, or the words of a document."""

    answer: str
    score: float | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class TableAnswer(Output):
    """An answer from a table. `coordinates` are (row, column) of each of `cells`."""

    answer: str
    cells: list[str] = field(default_factory=list)
    coordinates: list[list[int]] = field(default_factory=list)
    aggregator: str | None = None


@dataclass(frozen=True)
class MaskCandidate(Output):
    """What could stand in place of a mask."""

    token_str: str
    score: float | None = None
    token: int | None = None
    sequence: str | None = None


@dataclass(frozen=True)
class BoundingBox(Output):
    """In pixels, from the top left corner."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class DetectedObject(Output):
    label: str
    score: float | None
    box: BoundingBox


@dataclass(frozen=True)
class Media(Output):
    """A file with an image, a sound or a video."""

    content: bytes = field(repr=False)
    media_type: str

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file, as it was made: the name says nothing of its format."""
        Path(path).write_bytes(self.content)


@dataclass(frozen=True)
class LabelledSound(Output):
    """A part of a recording, and what it is."""

    label: str
    sound: Media


@dataclass(frozen=True)
class Segment(Output):
    """A part of an image. `mask` is a black and white image of its size."""

    label: str
    score: float | None = None
    mask: Media | None = None


@dataclass(frozen=True)
class TranscriptChunk(Output):
    """A part of what was said. `timestamp` is its start and end in seconds; the end can be unknown."""

    text: str
    timestamp: tuple[float | None, float | None]


@dataclass(frozen=True)
class Transcript(Output):
    """What was said. `chunks` is set where timestamps were asked for."""

    text: str
    chunks: list[TranscriptChunk] | None = None


@dataclass(frozen=True)
class Rank(Output):
    """The score of one of the texts, which `index` names."""

    index: int
    score: float
    text: str | None = None
