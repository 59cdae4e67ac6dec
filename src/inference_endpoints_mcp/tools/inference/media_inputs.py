"""Media in the arguments of a call, named by reference: a path, a resource, a data URI, or a URL of an allowed host."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.media import UNKNOWN, detect_media_type
from inference_endpoints.inference.tasks.inputs import data_uri
from inference_endpoints.inference.tasks.readers.media import media_of_text
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints.transport.file_fetcher import FileFetcher
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.inference.task_arguments import InputArguments
from inference_endpoints_mcp.tools.kept_outputs import SCHEME
from inference_endpoints_mcp.tools.media_access import MAX_FILE_BYTES, too_large

_KINDS: Mapping[str, tuple[str, ...]] = {
    "image": ("image/", "application/pdf"),
    "audio": ("audio/", "video/"),
    "file": ("image/", "audio/", "video/", "application/pdf"),
}
"""What the bytes of a file must be to be sent as such a part: others may be no media but secrets."""
MAX_BYTES_OF_CALL = 64 * 1024 * 1024


class MediaReader:
    """Reads the files of one call, of which all together are bounded."""

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._read = 0

    async def inputs(self, task: Task, given: list[Any]) -> list[Any]:
        """The inputs with the content of the files that they name."""
        parts = task.takes.media_fields()
        if len(parts) == 1 and len(task.takes.model_fields) == 1:
            given = [{parts[0]: each} if isinstance(each, str) else each for each in given]
        return [await self._input(parts, each) for each in given]

    async def messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages with their images and sounds as data. A URL of another host is left to the engine."""
        return [await self._message(message) for message in messages]

    async def file(self, reference: str, kind: str) -> bytes:
        """The content of the file. Raises `BadRequest` or `Refused`."""
        content = await self._content(reference)
        self._read += len(content)
        if len(content) > MAX_FILE_BYTES or self._read > MAX_BYTES_OF_CALL:
            raise too_large()
        if not detect_media_type(content).startswith(_KINDS[kind]):
            raise BadRequest(f"A file that was named as {kind} has other content by its first bytes: nothing was sent.")
        return content

    async def _content(self, reference: str) -> bytes:
        if reference.startswith("data:"):
            try:
                return media_of_text(reference).content
            except ValueError as error:
                raise BadRequest("A data URI is not base64: nothing was sent.") from error
        if reference.startswith(SCHEME):
            kept = self._call.outputs.find(reference, self._call.caller)
            if kept is None or not isinstance(kept.content, bytes):
                raise BadRequest("This output has expired, or is not a file.", hint="Make the call again that made it.")
            return kept.content
        if "://" in reference:
            return await FileFetcher(self._call.media.hosts).fetch(reference, MAX_FILE_BYTES)
        return await self._call.media.read(reference)

    async def _input(self, parts: list[str], given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        files = {name: given[name] for name in parts if isinstance(given.get(name), str)}
        return given | {name: await self.file(reference, name) for name, reference in files.items()}

    async def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content")
        if not isinstance(content, list):
            return message
        return message | {"content": [await self._part(part) for part in content]}

    async def _part(self, part: Any) -> Any:
        """A part as the OpenAI API has it; `{type: image, image: …}` and `{type: audio, audio: …}` are short for it."""
        if not isinstance(part, dict):
            return part
        image, audio = part.get("image_url", part.get("image")), part.get("input_audio", part.get("audio"))
        if part.get("type") in ("image_url", "image") and (reference := _reference(image, "url")) is not None:
            if reference.startswith("http") and not FileFetcher(self._call.media.hosts).allows(reference):
                url = reference
            else:
                file = await self.file(reference, "image")
                url = data_uri(file, detect_media_type(file))
            more = image if isinstance(image, dict) else {}
            return {"type": "image_url", "image_url": more | {"url": url}}
        if part.get("type") in ("input_audio", "audio") and (reference := _reference(audio, "data")) is not None:
            if isinstance(audio, dict) and "format" in audio and "://" not in reference and _is_data(reference):
                return part
            file = await self.file(reference, "audio")
            form = detect_media_type(file).partition("/")[2].replace("mpeg", "mp3")
            return {"type": "input_audio", "input_audio": {"data": b64encode(file).decode(), "format": form}}
        return part


async def read_media(reader: MediaReader, task: Task | None, given: InputArguments) -> InputArguments:
    """The inputs with the content of their files. A container of its own can get one, as `{file: …}`."""
    if given.body:
        return given
    if task is not None:
        return replace(given, text="", texts=[], inputs=await reader.inputs(task, list(given.each())))
    only = given.inputs[0] if len(given.inputs) == 1 else {}
    if only.keys() == {"file"} and isinstance(only["file"], str):
        return replace(given, file=await reader.file(only["file"], "file"))
    return given


def _reference(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _is_data(text: str) -> bool:
    """Whether it is the base64 of a file already, as the OpenAI API has it, and not the path of one."""
    try:
        return media_of_text(text).media_type != UNKNOWN
    except ValueError:
        return False
