"""Serves a story as a model, on loopback. The model is the only part of these tests that is scripted.

It refuses the tools that its provider would refuse.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.frameworks.model import anthropic, gemini, openai_chat, openai_responses, steps
from tests.frameworks.model.arguments import complete
from tests.frameworks.model.provider_rules import refusals
from tests.frameworks.model.stories import Call, Story

Body = dict[str, Any]
ENDED = Call("final_answer", {"answer": "Done."})
"""How agents that must end with a call of a tool (smolagents) end."""

PROTOCOLS = {
    "/step": steps,
    "/chat/completions": openai_chat,
    "/responses": openai_responses,
    "/v1/messages": anthropic,
    ":generateContent": gemini,
    ":streamGenerateContent": gemini,
}
"""The module that speaks a protocol, by the end of the path."""


@dataclass
class ScriptedModel:
    """A story that is served. `tools` are those that the framework declared, in the form of the provider, and `answers`
    what it passed on.

    `failure` is why the story stopped before its end: what did not hold, with the last answer.
    """

    story: Story
    url: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    ended: bool = False
    failure: str | None = None
    _started: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def declared(self, name: str) -> dict[str, Any]:
        return next((tool for tool in self.tools if tool.get("name") == name), {})

    def step(self, text: str) -> Call | None:
        """The next call after an answer; None at the end."""
        with self._lock:
            if self.ended or self.failure:
                return None
            try:
                if self._started:
                    self.answers.append(text)
                    return self.story.send(text)
                self._started = True
                return next(self.story)
            except StopIteration:
                self.ended = True
            except AssertionError as error:
                self.failure = str(error) or repr(error)
            return None


@contextmanager
def served(story: Story) -> Iterator[ScriptedModel]:
    model = ScriptedModel(story)
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: _Handler(model, *args))
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        story.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, model: ScriptedModel, *args: Any) -> None:
        self._model = model
        super().__init__(*args)

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body: Body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        speak = next((module for end, module in PROTOCOLS.items() if path.endswith(end)), None)
        if speak is None:
            self._send(404, "application/json", b"{}")
            return
        declared = speak.declared_tools(body)
        self._model.tools = declared or self._model.tools
        provider = speak.__name__.rpartition(".")[2]
        if refused := [refusal for tool in declared for refusal in refusals(provider, tool)]:
            self._model.failure = f"{provider} refuses {refused}"
            self._send(400, "application/json", json.dumps({"error": {"message": self._model.failure}}).encode())
            return
        step = self._model.step(speak.last_text(body))
        if step is None and any(tool.get("name") == ENDED.tool for tool in declared):
            step = ENDED
        if step is not None:
            step = Call(step.tool, complete(step.arguments, self._model.declared(step.tool)))
        streams = bool(body.get("stream")) or path.endswith(":streamGenerateContent")
        kind = "text/event-stream" if streams else "application/json"
        render: Callable[[Body, Call | None, bool], bytes] = speak.render
        self._send(200, kind, render(body, step, streams))

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: pytest shows what a job printed."""
