"""A worker that keeps the contract of workers and runs no model. Variables of its environment set what it returns and
how it fails."""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ORDER = json.loads(sys.stdin.readline())
RELEASED = threading.Event()
LEFT = threading.Event()
PNG = (
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63"
    "6000000002000148afa4710000000049454e44ae426082"
)
MEDIA = {"image": ("image/png", bytes.fromhex(PNG)), "audio": ("audio/flac", b"fLaC")}
"""A black pixel, and the first bytes of a sound, by which its kind is known."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health" and (status := os.environ.get("TINY_HEALTH")):
            self.answer(int(status), {})
        elif self.path == "/health":
            gate = os.environ.get("TINY_LOADS_UNTIL")
            self.answer(200 if gate is None or Path(gate).exists() else 503, {})
        elif self.path == "/left":
            self.answer(200, {"left": LEFT.wait(300)})
        elif self.authorized():
            self.answer(200, {"path": self.path, "pid": os.getpid()})

    def do_POST(self) -> None:
        if not self.authorized():
            return
        if self.path != os.environ.get("TINY_SERVES", self.path):
            self.answer(404, {"error": "Not Found"})
            return
        action = self.path.strip("/")
        if action == "release":
            RELEASED.set()
        if action in ("die", "events", "chunks", "hang"):
            getattr(self, action)()
            return
        if action == "slow":
            time.sleep(1)
        if action == "held":
            wait_for_file(os.environ["TINY_HOLDS_UNTIL"])
        body = self.body().decode()
        if media := MEDIA.get(self.headers.get("Accept", "").partition("/")[0]):
            self.reply(200, *media)
            return
        if answer := os.environ.get("TINY_ANSWERS"):
            self.answer(200, json.loads(answer))
            return
        self.answer(
            200,
            {
                "path": self.path,
                "body": body if len(body) < 100 else len(body),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "environment": dict(os.environ),
                "order": {key: value for key, value in ORDER.items() if key != "secret"},
                "pid": os.getpid(),
            },
        )

    def die(self) -> None:
        sys.stderr.write("ERROR the tiny worker dies on request\n")
        sys.stderr.flush()
        os._exit(3)

    def events(self) -> None:
        """One event at once, the next after `/release`."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        RELEASED.wait(300)
        self.wfile.write(b"data: 2\n\n")

    def chunks(self) -> None:
        """The beginning of a chunked response."""
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"1\r\n.\r\n")
        RELEASED.wait(300)

    def hang(self) -> None:
        """Write until the client has gone."""
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b".")
                time.sleep(0.005)
        except OSError:
            LEFT.set()

    def authorized(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {ORDER['secret']}":
            return True
        self.answer(401, {"error": "wrong secret"})
        return False

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        return content

    def answer(self, status: int, body: object) -> None:
        self.reply(status, "application/json", json.dumps(body).encode())

    def reply(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        if "TINY_LOGS" in os.environ:
            super().log_message(format, *args)


def wait_for_file(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)


def end_with_the_plane() -> None:
    sys.stdin.read()
    os._exit(0)


sys.stderr.write("INFO the tiny worker starts\n")
if words := os.environ.get("TINY_SAYS"):
    sys.stderr.write(f"{words}\n")
if words := os.environ.get("TINY_FAILS"):
    sys.stderr.write(f"{words}\n")
    sys.exit(1)
threading.Thread(target=end_with_the_plane, daemon=True).start()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
