"""Files in whatever form a program has them, and images in the form that Pillow has, where it is installed."""

import io
import sys
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, BinaryIO, Union

import anyio
import anyio.to_thread

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.tasks.outputs import Media
from inference_endpoints.inference.tasks.readers.media import media_of_text
from inference_endpoints.transport.downloads import download

if TYPE_CHECKING:
    from PIL.Image import Image

MediaFile = Union[bytes, bytearray, memoryview, str, PathLike[str], BinaryIO, "Image"]
"""A file's content, its path or URL (also a data URI), an open file, or an image of Pillow."""

MAX_FILE_BYTES = 256 * 1024 * 1024
_HINT = "Give its content as bytes, a path, a URL, an open binary file, or an image of Pillow."


class UnreadableImage(BadRequest):
    """The endpoint made an image that Pillow cannot read. `media` is the file as it came."""

    def __init__(self, media: Media) -> None:
        super().__init__("Pillow cannot read the image that the endpoint made.", hint="`media` of this error has it.")
        self.media = media


async def read_file(given: Any) -> bytes:
    """The content of a file. Raises `BadRequest` if there is none, `Unavailable` if its URL cannot be read."""
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given)
    if isinstance(given, str) and given.startswith("data:"):
        return _content_of_data(given)
    if isinstance(given, str) and given.startswith(("http://", "https://")):
        return await download(given, MAX_FILE_BYTES)
    if isinstance(given, str | PathLike):
        return await _content_of_path(given)
    pillow = sys.modules.get("PIL.Image")  # who has an image has loaded it
    if pillow is not None and isinstance(given, pillow.Image):
        return await anyio.to_thread.run_sync(_content_of_image, given)
    if hasattr(given, "read"):
        return await _content_of_open_file(given)
    raise BadRequest("The file has a type that is not known. Nothing was sent.", hint=_HINT)


def as_image(media: Media) -> Any:
    """The image as Pillow has it; the file itself where Pillow is not installed. Raises `UnreadableImage`."""
    try:
        from PIL import Image
    except ImportError:
        return media
    try:
        return Image.open(io.BytesIO(media.content))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImage(media) from error


def _content_of_data(uri: str) -> bytes:
    try:
        return media_of_text(uri).content
    except ValueError as error:
        raise BadRequest("The data URI is not in base64. Nothing was sent.", hint=_HINT) from error


async def _content_of_path(path: str | PathLike[str]) -> bytes:
    try:
        return await anyio.Path(fspath(path)).read_bytes()
    except (OSError, ValueError) as error:
        raise BadRequest("The file cannot be read at its path. Nothing was sent.", hint=_HINT) from error


async def _content_of_open_file(file: Any) -> bytes:
    try:
        content = await anyio.to_thread.run_sync(file.read)
    except (OSError, ValueError) as error:
        raise BadRequest("The open file cannot be read. Nothing was sent.", hint="Open it again.") from error
    if not isinstance(content, bytes):
        raise BadRequest("The file is open as text. Nothing was sent.", hint='Open it with "rb".')
    return content


def _content_of_image(image: Any) -> bytes:
    written = io.BytesIO()
    try:
        image.save(written, format=image.format or "PNG")
    except (OSError, ValueError, KeyError) as error:
        raise BadRequest("Pillow cannot write this image. Nothing was sent.", hint="Save it as PNG.") from error
    return written.getvalue()
