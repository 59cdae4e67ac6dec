"""Whether a collector's copy of an audit trail is as it was sent.

It is the file of the collector's `file` exporter: each line is an export of OTLP in JSON. Records may be in any order
and there more than once, as exports are repeated.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.policy.audit.chain import unchained
from inference_endpoints_mcp.policy.audit.verification import TamperedError

SCOPE = "inference_endpoints_mcp.audit"
"""The instrumentation scope of our records."""
PREVIOUS, CHAIN = "audit.previous", "audit.chain"
"""Attributes: the hash of the line before, and of the line."""


@dataclass(frozen=True)
class CollectedTrail:
    """What was found in order. `chains` begin at their first line, unless the copy begins in the middle of one.
    `unchained` records were sent while the file could not be written. `last` are the hashes with which nothing goes on.
    """

    lines: int
    chains: int
    begins_at_first: bool
    unchained: int
    last: tuple[str, ...]


def is_collected(path: Path) -> bool:
    """Whether this is an export, and no audit file. Raises OSError."""
    with path.open("rb") as file:
        return b'"resourceLogs"' in file.readline(4096)


def verify_collected(path: Path, expected: str | None = None) -> CollectedTrail:
    """Check a collector's copy. `expected` is a hash that must be in it.

    Raises `TamperedError` with the hash that is wrong or missing, and OSError if the file cannot be read.
    """
    before: dict[str, str] = {}
    times: dict[str, str] = {}
    without_chain = set[str]()
    for body, attributes in _records(path):
        chain, previous = attributes.get(CHAIN), attributes.get(PREVIOUS)
        if chain is None:
            without_chain.add(body)
            continue
        parts = unchained(body.encode())
        if parts is None or previous is None or not _follows(parts[0], previous, chain) or parts[1] != chain:
            raise TamperedError(f"The record with the hash {chain[:64]} is not as it was sent.")
        before[chain], times[chain] = previous, _time_of(parts[0])
    after: dict[str, str] = {}
    for chain, previous in before.items():
        if previous in after:
            raise TamperedError(f"More than one record follows {previous}: one of them was added.")
        if previous:
            after[previous] = chain
    cut = _check_beginnings(before, after, times)
    if expected is not None and expected not in before:
        raise TamperedError("The expected record is not in the copy: it was left out, or never arrived.")
    last = tuple(chain for chain in before if chain not in after)
    chains = sum(not previous for previous in before.values()) + cut
    return CollectedTrail(len(before), chains, not cut, len(without_chain), last)


def _check_beginnings(before: Mapping[str, str], after: Mapping[str, str], times: Mapping[str, str]) -> bool:
    """Whether the copy begins in the middle of a chain: then nothing else in it is as old. Raises `TamperedError`."""
    cut = [chain for chain, previous in before.items() if previous and previous not in before]
    if not cut:
        return False
    following = set[str]()
    chain: str | None = cut[0]
    while chain is not None:
        following.add(chain)
        chain = after.get(chain)
    for chain in cut:
        if len(cut) > 1 or any(times[other] <= times[chain] for other in before if other not in following):
            raise TamperedError(f"The record before {chain} is missing: its hash is {before[chain]}.")
    return True


def _time_of(text: bytes) -> str:
    """When the line was written: as it was hashed. Raises `TamperedError` for what none of us wrote."""
    try:
        return str(json.loads(text)["time"])
    except (ValueError, KeyError, RecursionError) as error:
        raise TamperedError("A record is no line of an audit trail.") from error


def _follows(text: bytes, previous: str, chain: str) -> bool:
    return hashlib.sha256(previous.encode() + b"\n" + text).hexdigest() == chain


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The text and the attributes of each record of ours. Raises `TamperedError` for what is no export."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield from _of_export(json.loads(line))
            except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
                raise TamperedError(f"{path.name}, line {number}: this is no export of log records.") from error


def _of_export(export: Any) -> Iterator[tuple[str, Mapping[str, str]]]:
    for resource in export["resourceLogs"]:
        for scope in resource.get("scopeLogs", []):
            if scope.get("scope", {}).get("name") != SCOPE:
                continue
            for record in scope.get("logRecords", []):
                found = {each["key"]: each["value"] for each in record.get("attributes", [])}
                texts = {key: value["stringValue"] for key, value in found.items() if "stringValue" in value}
                yield record["body"]["stringValue"], texts
