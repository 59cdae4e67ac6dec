"""The report of a walk: what each operation answered, without personal details. It can be attached to an issue."""

import json
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import EVENT_STREAM
from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.live.anonymizer import Anonymizer
from inference_endpoints_mcp.live.service_document import ServiceDocument
from inference_endpoints_mcp.live.walk import OperationOutcome, Result


class ReportError(Exception):
    """The report cannot be written to its file."""


class Report:
    """A walk in words, and as JSON."""

    def __init__(self, outcomes: Sequence[OperationOutcome], document: ServiceDocument | None) -> None:
        self._outcomes = outcomes
        self._document = document
        self._anonymizer = Anonymizer(document.words() if document else ())
        for outcome in outcomes:
            self._answer(outcome)  # all names are known before anything is kept
        for outcome in outcomes:
            for difference in outcome.comparison.differences:
                self._anonymizer.release(difference.value)
        self._answers = [self._answer(outcome) for outcome in outcomes]

    @property
    def compared_with(self) -> str:
        """What "as documented" means here."""
        models = f"the models of version {__version__}, which require only what cannot be done without"
        if self._document is None:
            return f"{models}; for every field, name the service's document with --document"
        described = sum(self._document.described(one.operation) is not None for one in self._outcomes)
        return f"{self._document.title}, which describes {described} of these operations, and {models}"

    @property
    def counts(self) -> str:
        """How many operations had which result."""
        counts = Counter(outcome.result for outcome in self._outcomes)
        return ", ".join(f"{counts[result]} {result}" for result in Result if counts[result])

    def remarks(self, outcome: OperationOutcome) -> list[str]:
        """Where an answer differs or has more than documented, and why there is none."""
        found = outcome.comparison
        differences = [
            f"{self._anonymizer.path(one.path)} {one.words}"
            + ("" if one.value is None else f": {self._anonymizer.data(one.value)}")
            for one in found.differences
        ]
        more = [f"{self._anonymizer.path(path)} is not in the document" for path in found.more]
        why = [self._anonymizer.sentence(outcome.why)] if outcome.why else []
        return [*differences, *more, *why]

    def to_json(self) -> str:
        """The whole report, with answers in which placeholders stand for personal details."""
        content = {
            "report": "inference-endpoints-mcp doctor --live",
            "version": __version__,
            "python": platform.python_version(),
            "system": platform.system(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "compared_with": self.compared_with,
            "results": self.counts,
            "placeholders": "The same detail has the same placeholder everywhere. Lists show their first items.",
            "operations": [
                {
                    "operation": outcome.operation.name,
                    "request": outcome.request,
                    "result": outcome.result,
                    "remarks": self.remarks(outcome),
                    "answer": answer,
                }
                for outcome, answer in zip(self._outcomes, self._answers, strict=True)
            ],
        }
        return json.dumps(content, indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Raises `ReportError`."""
        try:
            path.write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise ReportError(f"{path} cannot be written: {error.strerror}.") from error

    def _answer(self, outcome: OperationOutcome) -> Any:
        answer = outcome.answer
        if outcome.operation is operations.PUBLIC_HARDWARE:
            self._anonymizer.publish(answer)
        if outcome.operation.media_type == EVENT_STREAM and answer is not None:
            answer = _parsed(answer)
        return self._anonymizer.lines(answer) if isinstance(answer, str) else self._anonymizer.data(answer)


def _parsed(data: str) -> Any:
    """The JSON that an event carries; its text where it carries none."""
    try:
        return json.loads(data)
    except ValueError:
        return data
