"""The names of namespaces and endpoints, as segments of a path."""

import re

from inference_endpoints.errors import BadRequest

_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")


def check_segment(kind: str, value: str) -> None:
    """Raise `BadRequest` unless this is a namespace or name that the service allows, so that it cannot leave its place
    in a path."""
    if not _SEGMENT.fullmatch(value) or ".." in value or len(value) > 96:
        raise BadRequest(
            f"The {kind} is not valid.",
            hint="It consists of letters, digits, '-', '_' and '.', and starts with a letter or digit.",
        )
