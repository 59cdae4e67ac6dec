"""Machines of a cluster as network namespaces of this one, each with an address, a loopback and ports of its own.

Nothing here reaches further: the namespaces are joined by a bridge, and have no way out.
"""

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.engines.child_process import process_identity

NODE_BIN = Path(sys.prefix) / "cluster" / "bin"
"""Of the environment with Ray."""
_OBJECT_STORE_BYTES = "80000000"
VLLM_STAND_IN = Path(__file__).parents[1] / "support" / "planes" / "vllm_stand_in.py"
_TIMES = itertools.count()


def why_no_ray() -> str:
    """Why there is no cluster here; empty if there can be one."""
    return "" if (NODE_BIN / "ray").exists() else "Ray is not installed: make test-cluster installs it"


def why_no_machines() -> str:
    """Why there are no several machines here; empty if there can be some."""
    if reason := why_no_ray():
        return reason
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need Linux, root and iproute2"
    tried = subprocess.run(["ip", "netns", "add", name := f"ie{os.getpid()}t"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this system lets nobody make network namespaces"


@dataclass
class Machine:
    """One machine. What runs on it ends with it."""

    namespace: str
    address: str
    environment: Mapping[str, str]
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ray(self, *arguments: str, log: Path) -> None:
        """`ray start`, which stays."""
        command = ["ip", "netns", "exec", self.namespace, str(NODE_BIN / "ray"), "start", "--block", *arguments]
        command += ["--disable-usage-stats", f"--node-ip-address={self.address}"]
        command += [f"--object-store-memory={_OBJECT_STORE_BYTES}"]
        with log.open("ab") as output:
            self._started.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(self.environment),
                    start_new_session=True,
                )
            )

    def pids(self) -> list[int]:
        listed = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True)
        return [int(pid) for pid in listed.stdout.split()]

    def pids_of(self, word: str) -> list[int]:
        """Its processes with this word in their command line."""
        found = []
        for pid in self.pids():
            with suppress(OSError):
                if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def kill(self, pids: Iterable[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def lose_power(self) -> None:
        """Everything on it ends at once."""
        deadline = time.monotonic() + HANG_TIMEOUT_S
        while pids := [pid for pid in self.pids() if process_identity(pid) is not None]:
            assert time.monotonic() < deadline
            self.kill(pids)
        for process in self._started:
            process.wait()
        self._started.clear()


@dataclass
class TwoMachines:
    """A head and a node. `folder` has the token and the logs."""

    head: Machine
    node: Machine
    folder: Path
    bridge: str

    @property
    def address(self) -> str:
        return self.address_of(self.head)

    def address_of(self, head: Machine) -> str:
        return f"http://{head.address}:8265"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def start_head(self, machine: Machine | None = None) -> None:
        sessions = f"--temp-dir={self.folder / secrets.token_hex(2)}"
        (machine or self.head).ray(
            "--head", "--port=6379", "--dashboard-host=0.0.0.0", "--num-cpus=1", sessions, log=self.folder / "head.log"
        )

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """During the block, what is sent to the head from outside its machines is lost without an answer."""
        _ip(f"neigh replace {self.head.address} lladdr 02:00:00:00:00:01 dev {self.bridge} nud permanent")
        try:
            yield
        finally:
            _ip(f"neigh del {self.head.address} dev {self.bridge}")

    def start_node(self) -> None:
        """It says that it has accelerators, and nothing tries that."""
        accelerators = ("--num-gpus=1", '--resources={"accelerator_type:A100": 1}')
        address = f"--address={self.head.address}:6379"
        self.node.ray(address, "--num-cpus=1", *accelerators, log=self.folder / "node.log")


@contextmanager
def two_machines() -> Iterator[TwoMachines]:
    """Both started. Their addresses depend on this process, so that others can have machines too."""
    # The system removes a cable some time after its namespace, so each time has names of its own.
    prefix = f"ie{os.getpid()}{chr(ord('a') + next(_TIMES))}"
    bridge, net = f"{prefix}b", f"10.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
    folder = Path(tempfile.mkdtemp(prefix="ie-cl-"))
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(secrets.token_urlsafe(32))
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "PATH": f"{_install_vllm(folder / 'bin')}:{os.environ['PATH']}",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }
    names, cables = ([f"{prefix}{kind}{number}" for number in (1, 2)] for kind in "nc")
    _ip(f"link add {bridge} type bridge", f"addr add {net}.254/24 dev {bridge}", f"link set {bridge} up")
    machines = []
    try:
        for number, (name, cable) in enumerate(zip(names, cables, strict=True), 1):
            _ip(
                f"netns add {name}",
                f"link add {cable} type veth peer name eth0 netns {name}",
                f"link set {cable} master {bridge} up",
                f"-n {name} addr add {net}.{number}/24 dev eth0",
                f"-n {name} link set eth0 up",
                f"-n {name} link set lo up",
            )
            machines.append(Machine(name, f"{net}.{number}", environment))
        cluster = TwoMachines(machines[0], machines[1], folder, bridge)
        cluster.start_head()
        cluster.start_node()
        yield cluster
    finally:
        for machine in machines:
            machine.lose_power()
        for name, cable in zip(names, cables, strict=True):
            subprocess.run(["ip", "link", "del", cable], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _install_vllm(folder: Path) -> Path:
    """What stands in for vLLM."""
    folder.mkdir()
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\n" + VLLM_STAND_IN.read_text())
    program.chmod(0o755)
    return folder


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
