"""What the job of each client is given. It runs in the client's own environment: only the standard library is there.

`config()` has `url` (HTTP) or `command` and `args` (stdio) of the server, `model_url`, `prompt`, and `person_types`:
the name that a person types to delete an endpoint, empty where nobody can be asked.
"""

import itertools
import json
import os
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

_given: dict[str, Any] = {}


def config() -> dict[str, Any]:
    if not _given:
        _given.update(json.loads(sys.stdin.read()))
    return _given


def tools() -> list[dict[str, Any]]:
    """The published tools, to be converted."""
    return config()["tools"]


def show(rules: str, converted: list[tuple[str, dict[str, Any]]]) -> None:
    """Print converted tools, to be checked by these rules of their provider."""
    print(json.dumps({"rules": rules, "tools": dict(converted)}))


def provide(provider: str) -> None:
    """Point a provider's own library at the scripted model, by the variables it reads."""
    address = {
        "ANTHROPIC": "ANTHROPIC_BASE_URL",
        "GEMINI": "GOOGLE_GEMINI_BASE_URL",
        "OPENAI": "OPENAI_BASE_URL",
    }[provider]
    os.environ[address] = config()["model_url"] + ("/v1" if provider == "OPENAI" else "")
    os.environ[f"{provider}_API_KEY"] = "none"


_questions = itertools.count(1)


def person(schema: dict[str, Any]) -> dict[str, Any]:
    """What the person does: refuse the first time, then fill in the name of what is to be deleted, or yes."""
    if next(_questions) == 1:
        return {"action": "decline"}
    content = {field: config()["person_types"] if field == "name" else True for field in schema["properties"]}
    return {"action": "accept", "content": content}


def step(text: str, tools: list[str] | None = None) -> dict[str, Any]:
    """The scripted model's next call, for a client without an agent. Empty at the end."""
    body = json.dumps({"text": text, "tools": [{"name": name} for name in tools or []]}).encode()
    with urllib.request.urlopen(f"{config()['model_url']}/step", body) as response:  # noqa: S310
        return json.loads(response.read())


async def follow(tools: list[str], call: Callable[[str, dict[str, Any]], Awaitable[str]]) -> None:
    """Make the calls of the scripted model until it ends."""
    following = step("", tools)
    while following:
        following = step(await call(following["tool"], following["arguments"]))
