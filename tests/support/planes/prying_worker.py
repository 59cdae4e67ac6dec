"""A worker whose model was taken over: it does what its caller says, and returns what came of it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.worker_http import read_json
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve


def send_without_connecting(port: str) -> None:
    socket.socket().sendto(b"x", getattr(socket, "MSG_FASTOPEN", 0x20000000), ("127.0.0.1", int(port)))


ACTIONS: dict[str, Callable[[str], object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": lambda path: [entry.name for entry in Path(path).iterdir()],
    "write": lambda path: Path(path).write_text("x"),
    "append": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),
    "remove": lambda path: Path(path).unlink(),
    "link": lambda path: Path(path).symlink_to("/"),
    "open to all": lambda path: Path(path).chmod(0o777),
    "start": lambda program: subprocess.run([program], check=True),
    "connect": lambda port: socket.create_connection(("127.0.0.1", int(port))),
    "send": send_without_connecting,
    "send a datagram": lambda port: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(port))),
    "speak to": lambda path: socket.socket(socket.AF_UNIX).connect(path),
    "listen": lambda port: socket.create_server(("127.0.0.1", int(port))),
    "signal": lambda pid: os.kill(int(pid), 0),
    "environment": lambda _: {"cwd": str(Path.cwd()), "path": sys.path, "isolated": sys.flags.isolated, **os.environ},
}


def load(config: WorkerConfig) -> list[Route]:
    async def act(request: Request) -> Response:
        body = await read_json(request)
        subject = str(config.files["model"]) if body["subject"] == "its weights" else str(body["subject"])
        try:
            return JSONResponse({"done": str(ACTIONS[body["action"]](subject))})
        except OSError as error:
            return JSONResponse({"denied": str(error)})

    return [Route("/", act, methods=["POST"])]


if __name__ == "__main__":
    serve(load)
