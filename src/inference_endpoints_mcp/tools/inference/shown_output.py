"""Task outputs as a language model can use them: a text as it is, anything else as one JSON value a line, best first.

Of vectors the size and the first numbers are shown, of files what they are. The numbers and the files themselves are
kept, and read as resources.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.errors import InferenceEndpointError, InvalidResponse
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.media import media_type_of
from inference_endpoints.inference.media_facts import read_media_facts
from inference_endpoints.inference.task_runner import AnswerOfAnotherTask
from inference_endpoints.inference.tasks.outputs import Media, Output, Transcript
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints_mcp.tools.inference.plain_json import FIRST_NUMBERS, shortened, to_line

ITEMS_OF_EACH = 10
"""Items that are shown of one input's output where there are several inputs."""
_DIGITS = 5


@dataclass
class ShownOutput:
    """What is shown. `whole` is all of it as JSON, where the text has less. Counts are of embeddings."""

    text: str
    files: list[Media] = field(default_factory=list)
    whole: str | None = None
    shortened: bool = False
    vectors: int | None = None
    dimensions: int | None = None


def show_outputs(task: Task, outputs: Sequence[Any]) -> ShownOutput:
    """The outputs of the inputs; of one that failed its error."""
    shown = ShownOutput("")
    if len(outputs) == 1:
        shown.text = _show_one(task, outputs[0], shown)
    else:
        shown.text = "\n".join(_show_among_many(task, place, output, shown) for place, output in enumerate(outputs))
    if shown.shortened:
        shown.whole = json.dumps([_plain(output) for output in outputs])
    return shown


def show_response(response: InferenceResponse) -> ShownOutput:
    """A response of an unknown form."""
    kind = response.content_type.partition(";")[0].strip().lower()
    if not response.content:
        return ShownOutput("The answer is empty.")
    if "json" not in kind and not kind.startswith("text/") and kind != "":
        file = Media(response.content, media_type_of(response.content, kind))
        return ShownOutput(describe_file(file), [file])
    text = response.content.decode("utf-8", "replace")
    files: list[Media] = []
    try:
        value = response.json()
    except InvalidResponse:  # e.g. lines of JSON. It is then shown as text: it is paid for.
        return ShownOutput(text)
    brief = shortened(value, files)
    return ShownOutput(text, files) if brief == value else ShownOutput(to_line(brief), files, whole=text)


def describe_file(file: Media) -> str:
    """What a file is: its size, its format, and what its header says."""
    facts, what = read_media_facts(file.content), file.media_type or "unknown type"
    if facts.width is not None:
        what += f", {facts.width:,} by {facts.height:,} pixels"
    if facts.seconds is not None:
        what += f", {facts.seconds:g} seconds"
    return f"{len(file.content):,} bytes of {what}"


def _show_one(task: Task, output: Any, shown: ShownOutput) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, Transcript):
        return "\n".join([output.text, *(to_line(_plain(chunk)) for chunk in output.chunks or [])])
    brief = _brief_output(task, output, shown)
    if isinstance(brief, str):  # a file is described, as text is shown, without quotation marks
        return brief
    return "\n".join(map(to_line, brief if isinstance(brief, list) else [brief])) or "Nothing was found."


def _show_among_many(task: Task, place: int, output: Any, shown: ShownOutput) -> str:
    if isinstance(output, AnswerOfAnotherTask):
        return to_line({"input": place, "output": show_response(output.response).text})
    if isinstance(output, InferenceEndpointError):
        return to_line({"input": place, "error": output.code})
    brief, more = _brief_output(task, output, shown), {}
    if isinstance(brief, list) and len(brief) > ITEMS_OF_EACH:
        shown.shortened = True
        brief, more = brief[:ITEMS_OF_EACH], {"more": len(brief) - ITEMS_OF_EACH}
    return to_line({"input": place, "output": brief, **more})


def _brief_output(task: Task, output: Any, shown: ShownOutput) -> Any:
    """Plain data without vectors and files, which are counted and added to `shown`."""
    if task.name == "feature-extraction":
        return _describe_embedding(output, shown)
    return _ranked(output) if task.name == "sentence-similarity" else _briefly(output, shown)


def _ranked(similarities: list[float]) -> list[dict[str, Any]]:
    """Similarities best first, with the place of each sentence."""
    ranked = sorted(enumerate(similarities), key=lambda pair: pair[1], reverse=True)
    return [{"index": place, "similarity": _rounded(number)} for place, number in ranked]


def _briefly(output: Any, shown: ShownOutput) -> Any:
    if isinstance(output, Media):
        shown.files.append(output)
        return describe_file(output)
    if isinstance(output, Output):
        return {name: _briefly(value, shown) for name, value in _fields(output).items()}
    if isinstance(output, list):
        return [_briefly(item, shown) for item in output]
    return _rounded(output) if isinstance(output, float) else output


def _fields(output: Output) -> dict[str, Any]:
    """The fields that the engine filled in."""
    named = {known.name: getattr(output, known.name) for known in dataclasses.fields(output)}  # type: ignore[arg-type]
    return {name: value for name, value in named.items() if value is not None}


def _describe_embedding(output: Any, shown: ShownOutput) -> dict[str, Any]:
    shown.vectors, shown.shortened = (shown.vectors or 0) + 1, True
    if isinstance(output, dict):
        best = sorted(output.items(), key=lambda pair: pair[1], reverse=True)[:FIRST_NUMBERS]
        return {"nonzero": len(output), "largest": {str(index): _rounded(weight) for index, weight in best}}
    if isinstance(output[0], list):
        shown.dimensions = len(output[0])
        first = [_rounded(number) for number in output[0][:FIRST_NUMBERS]]
        return {"tokens": len(output), "dimensions": len(output[0]), "first": first}
    shown.dimensions = len(output)
    return {"dimensions": len(output), "first": [_rounded(number) for number in output[:FIRST_NUMBERS]]}


def _rounded(number: float) -> float | str:
    return round(number, _DIGITS) if math.isfinite(number) else str(number)


def _plain(output: Any) -> Any:
    """The whole output as JSON can have it; of a file what it is."""
    if isinstance(output, InferenceEndpointError):
        return {"error": output.code}
    if isinstance(output, Media):
        return describe_file(output)
    if isinstance(output, Output):
        return {name: _plain(value) for name, value in _fields(output).items()}
    return [_plain(item) for item in output] if isinstance(output, list | tuple) else output
