"""Images and sounds that a model made: shown as content of the answer where they are small, and kept in any case."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp.types import AudioContent, ContentBlock, ImageContent
from pydantic import BaseModel, Field

from inference_endpoints.inference.media_facts import read_media_facts
from inference_endpoints.inference.tasks.outputs import Media
from inference_endpoints_mcp.privacy.answer_text import Ours, Word
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.kept_outputs import MINUTES_KEPT

MAX_SHOWN_BYTES = 512 * 1024
"""Bytes of one file that is shown in the answer: hosts give it to a model, which has limits of its own."""
MAX_SHOWN_BYTES_TOGETHER = 1024 * 1024
MAX_FILES = 16


class MediaFile(BaseModel):
    """A file that the model made. `width` and `height` are in pixels, `size` in bytes."""

    format: Word
    size: int
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    shown: bool = Field(description="Whether this answer has it as image or audio content.")
    uri: Word | None = Field(default=None, description=f"A resource of this server, for {MINUTES_KEPT} minutes.")
    path: Ours | None = Field(default=None, description="Where it was written.")


@dataclass
class ShownMedia:
    files: list[MediaFile] = field(default_factory=list)
    blocks: list[ContentBlock] = field(default_factory=list)


def show_media(call: CallContext, endpoint_name: str, files: Sequence[Media]) -> ShownMedia:
    """Keeps the files, writes them where the operator has a folder for them, and shows the small ones."""
    shown, together = ShownMedia(), 0
    for file in files[:MAX_FILES]:
        facts, size = read_media_facts(file.content), len(file.content)
        block = _block(file) if size <= MAX_SHOWN_BYTES and together + size <= MAX_SHOWN_BYTES_TOGETHER else None
        if block is not None:
            together += size
            shown.blocks.append(block)
        ending = file.media_type.partition("/")[2].partition("+")[0].removeprefix("x-") or "bin"
        path = call.media.write(f"{endpoint_name}.{ending if ending.isalnum() else 'bin'}", file.content)
        shown.files.append(
            MediaFile(
                format=file.media_type,
                size=size,
                width=facts.width,
                height=facts.height,
                seconds=facts.seconds,
                shown=block is not None,
                uri=call.outputs.keep(call.caller, file.content, file.media_type, f"a file of {endpoint_name}"),
                path=str(path) if path else None,
            )
        )
    return shown


def _block(file: Media) -> ContentBlock | None:
    kind = file.media_type.partition("/")[0]
    if kind not in ("image", "audio"):
        return None
    data = b64encode(file.content).decode("ascii")
    if kind == "image":
        return ImageContent(type="image", data=data, mime_type=file.media_type)
    return AudioContent(type="audio", data=data, mime_type=file.media_type)
