"""A Redis of a test's own. `python -m tests.broker.broker` gets the program from Debian's packages if it is missing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.hang import HANG_TIMEOUT_S

PROGRAM, DEBIAN_PACKAGE, INSTALL_S = "redis-server", "redis-server", 300
PASSWORD = "of-the-broker"


class Broker:
    """A process on a Unix socket, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "broker.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers. What it held before is lost."""
        flags = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--requirepass", PASSWORD]
        program = shutil.which(PROGRAM)
        assert program is not None
        folder = self.socket.parent
        self._process = subprocess.Popen([program, *flags], cwd=folder, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + HANG_TIMEOUT_S
        while not self._answers():
            assert time.monotonic() < ends
            assert self._process.poll() is None
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(HANG_TIMEOUT_S)
            self._process = None

    def stand_still(self) -> None:
        """It takes connections and answers nothing, until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return bool(client.recv(1))
            except OSError:
                return False


def main() -> int:
    if shutil.which(PROGRAM) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # No service: each test has a process of its own.
        environment = {**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", DEBIAN_PACKAGE],
        ):
            try:
                subprocess.run(command, check=False, timeout=INSTALL_S, stdout=subprocess.DEVNULL, env=environment)
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"{command[0]} did not bring a broker: {type(error).__name__}")
    print(f"Broker: {shutil.which(PROGRAM) or 'none can be had here; the tests are skipped'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
