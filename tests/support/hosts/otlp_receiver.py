"""A receiver of OpenTelemetry logs: OTLP over HTTP, on a real socket. It keeps them as a collector's file does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse


class Receiver:
    """`status` is what it answers: it keeps what it answers with 200. `refused` is how many records it says that it did
    not take. With `is_endless` its answer has no end. While `is_open` is not set, it reads exports and answers none.
    """

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.refused = 0
        self.is_endless = False
        self.is_open = threading.Event()
        self.is_open.set()
        self.asked = threading.Event()
        self.exports: list[dict[str, Any]] = []

    @property
    def records(self) -> list[dict[str, Any]]:
        """Attributes by name, with `body` and `eventName`."""
        return [
            {each["key"]: _value(each["value"]) for each in record["attributes"]}
            | {"body": record["body"]["stringValue"], "eventName": record["eventName"]}
            for export in list(self.exports)
            for resource in export["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def write_to(self, path: Path) -> Path:
        path.write_text("".join(json.dumps(export) + "\n" for export in self.exports))
        return path


def _value(value: dict[str, Any]) -> Any:
    (only,) = value.values()
    return only


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.asked.set()
            receiver.is_open.wait()
            if receiver.status == 200 and self.path == "/v1/logs":
                receiver.exports.append(MessageToDict(ExportLogsServiceRequest.FromString(body)))
            self.send_response(receiver.status)
            answer = ExportLogsServiceResponse()
            answer.partial_success.rejected_log_records = receiver.refused
            content = answer.SerializeToString()
            self.send_header("content-type", "application/x-protobuf")
            if not receiver.is_endless:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(content)
                while receiver.is_endless:
                    self.wfile.write(bytes(65_536))

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/v1/logs"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield receiver
        finally:
            receiver.is_open.set()
            server.shutdown()
            serving.join()
