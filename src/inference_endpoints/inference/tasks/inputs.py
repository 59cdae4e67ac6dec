"""What tasks take, by the names of the published task schemas. Media are the bytes of a file."""

from base64 import b64encode
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError


def check_text(text: str) -> str:
    """The text. Raises a pydantic error if it cannot be sent as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "contains half of a surrogate pair, which is no character") from None
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(check_text)]
_FILES = ("image", "audio")
File = Annotated[bytes, Strict(), Field(min_length=1)]


class TaskInput(BaseModel):
    """The inputs of one run of a task."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def wire(self) -> Any:
        """The value of `inputs` in a request of the task API."""
        return self.model_dump()

    @classmethod
    def media_fields(cls) -> list[str]:
        """The fields that hold a file."""
        return [name for name in cls.model_fields if name in _FILES]


class TextInput(TaskInput):
    text: Text

    def wire(self) -> str:
        return self.text


class ImageInput(TaskInput):
    image: File

    def wire(self) -> str:
        return _base64(self.image)

    @property
    def file(self) -> bytes:
        return self.image


class AudioInput(TaskInput):
    audio: File

    def wire(self) -> str:
        return _base64(self.audio)

    @property
    def file(self) -> bytes:
        return self.audio


class PromptInput(TaskInput):
    """A message to a model that may see an image."""

    text: Text
    image: File | None = None

    def wire(self) -> Any:
        return self.text if self.image is None else {"text": self.text, "image": _base64(self.image)}


class QuestionInContext(TaskInput):
    question: Text
    context: Text


class QuestionOnTable(TaskInput):
    """Each column of the table by its name, with its cells from top to bottom."""

    question: Text = Field(validation_alias=AliasChoices("question", "query"))
    table: dict[str, list[str]] = Field(min_length=1)

    def wire(self) -> dict[str, Any]:
        return {"query": self.question, "table": self.table}


class TableInput(TaskInput):
    """Rows to classify: each column by its name, with its cells from top to bottom."""

    table: dict[str, list[Any]] = Field(min_length=1)


class QuestionOnImage(TaskInput):
    question: Text
    image: File

    def wire(self) -> dict[str, Any]:
        return {"question": self.question, "image": _base64(self.image)}


class SentencePair(TaskInput):
    """A sentence, and those to compare it with."""

    source_sentence: Text
    sentences: list[Text] = Field(min_length=1)


class QueryAndTexts(TaskInput):
    """A query, and the texts to rank by how well they answer it."""

    query: Text
    texts: list[Text] = Field(min_length=1)


def _base64(file: bytes) -> str:
    return b64encode(file).decode("ascii")


def data_uri(file: bytes, media_type: str) -> str:
    """The file as the OpenAI API takes one in a message."""
    return f"data:{media_type};base64,{_base64(file)}"
