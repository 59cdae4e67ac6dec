"""`audit verify`: what was changed in an audit trail after it was written is found."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.command import Run
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_mcp.policy.audit import chained_file
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.audit.verification import TamperedError, verify
from inference_endpoints_mcp.privacy.redact import Redactor


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write_lines(trail: Path, number: int) -> None:
    audit = AuditTrail(trail, Redactor())
    for each in range(number):
        audit.write("change", number=each, endpoint="acme/chat")


def test_a_trail_as_it_was_written_is_in_order(trail: Path, run: Run) -> None:
    write_lines(trail, 3)
    write_lines(trail, 2)  # a server that starts again continues the chain
    ended = run("audit", "verify", "--audit-file", str(trail))
    assert ended.returncode == 0
    assert ended.stdout.startswith("5 line(s), each as it was written. The last hash: ")
    last = json.loads(trail.read_text().splitlines()[-1])["chain"]
    assert last in ended.stdout
    assert run("audit", "verify", "--audit-file", str(trail), "--expect", last).returncode == 0


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: [*lines[:2], lines[2].replace("chat", "mine"), *lines[3:]],
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: lines[1:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:2], lines[2], lines[2], *lines[3:]],
        lambda lines: [*lines[:2], "", *lines[3:]],
        lambda lines: [*lines[:2], json.dumps({"event": "change"}), *lines[3:]],
        lambda lines: [*lines, json.dumps({"event": "approval", "by": "person", "outcome": "approved"})],
        lambda lines: ['{x,"chain":"' + "0" * 64 + '"}'],
        lambda lines: ['{"x":' + "[" * 100_000 + "]" * 100_000 + ',"chain":"' + "0" * 64 + '"}'],
        lambda lines: ['{"previous":"\\ud800","chain":"' + "0" * 64 + '"}'],
    ],
)
def test_a_line_changed_left_out_moved_or_added_is_found(
    trail: Path, run: Run, tamper: Callable[[list[str]], list[str]]
) -> None:
    write_lines(trail, 5)
    trail.write_text("\n".join(tamper(trail.read_text().splitlines())) + "\n")
    ended = run("audit", "verify", "--audit-file", str(trail))
    assert ended.returncode == 1
    assert "not as it was written" in ended.stderr


def test_lines_cut_off_at_the_end_are_found_by_a_hash_kept_elsewhere(trail: Path) -> None:
    write_lines(trail, 5)
    kept_elsewhere = verify(trail).last
    trail.write_text("".join(trail.read_text().splitlines(keepends=True)[:3]))
    assert verify(trail).lines == 3
    with pytest.raises(TamperedError, match="cut off"):
        verify(trail, kept_elsewhere)


def test_the_chain_goes_on_over_rotated_files(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chained_file, "LARGEST_FILE", 600)
    write_lines(trail, 10)
    assert trail.with_name(f"{trail.name}.1").exists()
    found = verify(trail)
    assert (found.lines, found.begins_at_first) == (10, True)
    write_lines(trail, 40)
    assert verify(trail).begins_at_first is False
    trail.with_name(f"{trail.name}.2").unlink()
    with pytest.raises(TamperedError):
        verify(trail)


def test_a_line_that_a_killed_process_left_half_written_breaks_nothing(trail: Path) -> None:
    write_lines(trail, 2)
    with trail.open("a") as file:
        file.write('{"time":"2026-')
    write_lines(trail, 2)
    found = verify(trail)
    assert (found.lines, found.torn) == (4, 1)


WRITER = """
import sys
from pathlib import Path
from inference_endpoints_mcp.policy.audit import chained_file
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.privacy.redact import Redactor
chained_file.LARGEST_FILE = 4000
audit = AuditTrail(Path(sys.argv[1]), Redactor())
for number in range(20):
    audit.write("change", writer=sys.argv[2], number=number)
"""


def test_processes_that_write_one_trail_lose_no_line_when_it_rotates(trail: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(trail), str(each)]) for each in range(3)]
    assert [writer.wait(HANG_TIMEOUT_S) for writer in writers] == [0, 0, 0]
    found = verify(trail)
    assert (found.lines, found.torn, found.begins_at_first) == (60, 0, True)


def test_over_stdio_the_trail_cannot_go_to_standard_output(run: Run) -> None:
    ended = run("--audit-file", "-")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "carries the protocol" in ended.stderr


def test_the_chain_goes_on_after_a_disk_that_was_full_when_a_file_was_begun(
    trail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chained_file, "LARGEST_FILE", 1_000)
    write_lines(trail, 3)
    sink = chained_file.ChainedFile(trail)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="no space"):
            sink.append({"event": "x" * 900})
    assert trail.read_bytes() == b""
    sink.append({"event": "after"})
    assert verify(trail).lines == 4
