"""Takes from a process what it does not need to answer from weights that it can read, at a port that it listens on.

It works as far as the system lets a program confine itself without root, and reports what holds. `python -m` this
module confines a process in this way and prints the report.

- Landlock (Linux 5.13; ports 6.7; signals 6.12) denies files, TCP ports and signals.
- seccomp (Linux on x86-64 and ARM64) denies connections, programs and changes of metadata, which Landlock leaves out.
- Limits of resources (Linux and macOS) deny the content of files and core dumps.

User namespaces are not used: distributions switch them off for programs without root. There is no library either:
landlockpy (0.2) takes 0.2 s to import, as long as a small worker takes to start.
"""

import ctypes
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILES = "files but weights and libraries"
CONNECTIONS = "connections"
PROGRAMS = "other programs"
SIGNALS = "signals to others"
WRITING = "writing files"

_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_PLATFORM = str(sys.platform)

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2


@dataclass(frozen=True)
class Confinement:
    """What the system denies this process from now on, and what it cannot deny."""

    held: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        lacks = f"; this system cannot deny: {', '.join(self.missing)}" if self.missing else ""
        return f"denied: {', '.join(self.held)}{lacks}"


def confine(readable: Iterable[Path] = ()) -> Confinement:
    """Confine this process for good: its libraries and `readable` are all that it can read.

    Call it before there are other threads. It raises nothing where the system lacks a part: see the report.
    """
    held = _limit_resources()
    if _PLATFORM == "linux" and _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        held |= _landlock([*_own_places(), *readable]) | _seccomp()
    everything = (FILES, WRITING, CONNECTIONS, PROGRAMS, SIGNALS)
    return Confinement(
        tuple(each for each in everything if each in held), tuple(each for each in everything if each not in held)
    )


def _limit_resources() -> set[str]:
    if sys.platform == "win32":
        return set()
    import resource

    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    return {WRITING}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _own_places() -> list[Path]:
    """Where this interpreter and its packages are, and what their libraries read."""
    interpreter = {sys.prefix, sys.base_prefix, sys.exec_prefix, *(path for path in sys.path if path)}
    return [Path(path) for path in (*interpreter, *_SYSTEM_FOLDERS, *_SYSTEM_FILES, *_DEVICES)]


# Landlock: linux/landlock.h.

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_RULE_PATH, _RULE_PORT = 1, 2
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_BIND_TCP = 1 << 0
_FILE_ACCESS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
"""What can be denied of files since each version."""
_TCP_ACCESS, _TCP_SINCE = 0x3, 4
_SCOPES, _SCOPES_SINCE = 0x3, 6


def _landlock(readable: Iterable[Path]) -> set[str]:
    version = int(_libc().syscall(_CREATE_RULESET, None, 0, 1))
    if version < 1:
        return set()
    files = max(access for since, access in _FILE_ACCESS.items() if since <= version)
    ports = _TCP_ACCESS if version >= _TCP_SINCE else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", files, ports, scopes)
    rules = int(_libc().syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    if rules < 0:
        return set()
    try:
        for path in readable:
            _allow_reading(rules, path)
        if ports:
            # Any free port: llama.cpp opens one that is of no use without its key.
            _libc().syscall(_ADD_RULE, rules, _RULE_PORT, struct.pack("=QQ", _BIND_TCP, 0), 0)
        if _libc().syscall(_RESTRICT_SELF, rules, 0) != 0:
            return set()
    finally:
        os.close(rules)
    return {FILES} | ({SIGNALS} if scopes else set())


def _allow_reading(rules: int, path: Path) -> None:
    with suppress(OSError):  # what is not there cannot be read
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            is_folder = stat.S_ISDIR(os.fstat(place).st_mode)
            access = _READ_FILE | (_READ_FOLDER if is_folder else 0)
            _libc().syscall(_ADD_RULE, rules, _RULE_PATH, struct.pack("=Qi", access, place), 0)
        finally:
            os.close(place)


# seccomp: linux/seccomp.h and linux/bpf_common.h. Numbers of system calls on x86-64 and ARM64; None: there is none.

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    # Ways around the above, or into other processes.
    "io_uring_setup": (425, 425),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Metadata of files.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}
_SOCKET = (41, 198)
_SENDING = {"sendto": (44, 206, 3), "sendmsg": (46, 211, 2), "sendmmsg": (307, 269, 3)}
"""Two numbers, and which argument has the flags."""
_MSG_FASTOPEN = 0x20000000  # sending with it connects
_X32_CALLS = 0x40000000
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # 1: EPERM
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]
"""Code, instructions to skip if true, to skip if false, operand."""


def _seccomp() -> set[str]:
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or sys.byteorder != "little":
        return set()
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _filter(machine))
    code = ctypes.create_string_buffer(program, len(program))
    prog = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    done = _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, prog, 0, 0) == 0
    return {CONNECTIONS, PROGRAMS} if done else set()


def _filter(machine: str) -> list[Instruction]:
    architecture, column = _ARCHITECTURES[machine]
    program = [_load(_ARCHITECTURE), _if_equal(architecture, 1, 0), _end(_KILL), _load(_NUMBER)]
    if machine == "x86_64":
        program += [_if_at_least(_X32_CALLS, 0, 1), _end(_DENY)]
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            program += [_if_equal(number, 0, 1), _end(_DENY)]
    # Sockets: TCP alone, which cannot connect. No Unix socket of a service that has more rights.
    program += [_if_equal(_SOCKET[column], 0, 7), _load(_argument(0)), _if_equal(socket.AF_INET, 0, 3)]
    program += [_load(_argument(1)), _and(0xF), _if_equal(socket.SOCK_STREAM, 1, 0), _end(_DENY), _end(_ALLOW)]
    for *numbers_of, flags in _SENDING.values():
        program += [_if_equal(numbers_of[column], 0, 4), _load(_argument(flags))]
        program += [_if_any_bit(_MSG_FASTOPEN, 0, 1), _end(_DENY), _end(_ALLOW)]
    return [*program, _end(_ALLOW)]


def _argument(index: int) -> int:
    return 16 + 8 * index  # its lower half


def _load(offset: int) -> Instruction:
    return (0x20, 0, 0, offset)


def _and(mask: int) -> Instruction:
    return (0x54, 0, 0, mask)


def _if_equal(value: int, then: int, otherwise: int) -> Instruction:
    return (0x15, then, otherwise, value)


def _if_at_least(value: int, then: int, otherwise: int) -> Instruction:
    return (0x35, then, otherwise, value)


def _if_any_bit(mask: int, then: int, otherwise: int) -> Instruction:
    return (0x45, then, otherwise, mask)


def _end(result: int) -> Instruction:
    return (0x06, 0, 0, result)


if __name__ == "__main__":
    sys.stdout.write(f"{confine()}\n")
