"""Runs an inference engine that is a program of its own, such as vLLM, as the worker of an endpoint.

It reads its configuration and writes the port as every worker does, then only watches: calls go to the engine itself.
The engine and its children end with it, and it ends when its stdin closes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from inference_endpoints_local import loopback
from inference_endpoints_local.parent_death import ending_with_us

END_TIMEOUT_S = 4.0
"""How long an engine may take to end. Whoever started this program kills it a second later."""
NOT_INSTALLED = 127


def main() -> int:
    """Returns the exit code of the engine; NOT_INSTALLED without one."""
    config = json.loads(sys.stdin.buffer.readline())
    command: list[str] = config["command"]
    program = find_program(command[0])
    if program is None:
        sys.stderr.write(f"ERROR {command[0]} is not installed on this node, or not in its PATH\n")
        return NOT_INSTALLED
    with loopback.listen() as listener:
        port = listener.getsockname()[1]  # free now; should another take it, the engine ends and is started again
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    # The token of the node's user is not for a caller's models.
    environment = {**os.environ, "VLLM_API_KEY": config["secret"], "HF_TOKEN_PATH": os.devnull}
    # Names of models that are also paths are looked up in the working folder: it is empty.
    with tempfile.TemporaryDirectory(prefix="ie-engine-") as folder:
        where = (f"--host={loopback.HOST}", f"--port={port}")
        engine = subprocess.Popen(  # noqa: S603
            [program, *command[1:], *where, *_key_flags(command, config["secret"])],
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            process_group=0,
            preexec_fn=ending_with_us(),
        )
        signal.signal(signal.SIGTERM, lambda *_: _end(engine))
        threading.Thread(target=_end_with_stdin, args=(engine,), daemon=True).start()
        code = engine.wait()
        _signal_all(engine, signal.SIGKILL)  # what it left
    return 128 - code if code < 0 else code


def find_program(name: str) -> str | None:
    """The program of the environment that this one runs in, else of the PATH."""
    if name == "python":
        return sys.executable
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def _key_flags(command: list[str], secret: str) -> list[str]:
    """vLLM reads the key from a variable. SGLang reads it from its command line alone."""
    return ["--api-key", secret] if "sglang.launch_server" in command else []


def _end_with_stdin(engine: "subprocess.Popen[bytes]") -> None:
    while sys.stdin.buffer.read(4096):
        pass
    _end(engine)


def _end(engine: "subprocess.Popen[bytes]") -> None:
    _signal_all(engine, signal.SIGTERM)
    timer = threading.Timer(END_TIMEOUT_S, _signal_all, (engine, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _signal_all(engine: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """The engine and its children, which have its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(engine.pid, number)


if __name__ == "__main__":
    sys.exit(main())
