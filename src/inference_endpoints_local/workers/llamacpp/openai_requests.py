"""Requests of the OpenAI API, checked before the engine reads them: each refusal names its field.

The engine ignores what it does not know, and fails on some of what it does. Nothing that would change an answer is
ignored here: it is passed on, translated or refused. Members that are null are absent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from inference_endpoints_local.workers.llamacpp.openai_messages import check_messages
from inference_endpoints_local.workers.llamacpp.regex_grammar import grammar_of
from inference_endpoints_local.workers.worker_http import malformed, unprocessable

MAX_CHOICES = 128
"""Texts that one request can ask for: its prompts times `n`."""

Body = dict[str, Any]
Check = tuple[Callable[[Any], bool], str]

_CONSTRAINTS = ("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "ebnf", "regex")
_NOT_HONOURED = (*_CONSTRAINTS, "echo", "suffix", "functions", "function_call", "audio", "prediction")
_FORMATS = ("text", "json_object", "json_schema", "regex", "grammar")


def _whole(low: int, high: int | None = None) -> Check:
    def holds(value: Any) -> bool:
        return type(value) is int and value >= low and (high is None or value <= high)

    return holds, f"must be a whole number {f'from {low} to {high}' if high is not None else f'of at least {low}'}"


def _number(low: float, high: float = float("inf")) -> Check:
    def holds(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return holds, f"must be a number {f'from {low:g} to {high:g}' if high < float('inf') else f'of at least {low:g}'}"


_FLAG: Check = (lambda value: isinstance(value, bool), "must be true or false")
_TOKENS = _whole(1)
_SAMPLING: dict[str, Check] = {
    "max_tokens": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "n_predict": _TOKENS,
    "n": _whole(1, MAX_CHOICES),
    "best_of": (lambda value: value == 1, "is 1 here: one text is generated for each choice"),
    "temperature": _number(0),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "seed": (lambda value: type(value) is int, "must be a whole number"),
    "stream": _FLAG,
    "stop": (
        lambda value: all(isinstance(text, str) for text in (value if isinstance(value, list) else [value])),
        "must be a text or a list of texts",
    ),
}
_CHAT: dict[str, Check] = {"logprobs": _FLAG, "top_logprobs": _whole(0, 20)}
_COMPLETION: dict[str, Check] = {"logprobs": _whole(0, 20)}


def chat_request(body: Body, *, sees_images: bool = False) -> Body:
    """The body of a chat completion for the engine. Raises 400 or 422."""
    body = _checked(body, _SAMPLING | _CHAT)
    body["messages"] = check_messages(body.get("messages"), sees_images=sees_images)
    if "response_format" in body:
        body |= _response_format(body.pop("response_format"), body)
    return _with_tools(body)


def completion_request(body: Body) -> Body:
    """The body of a text completion for the engine; `prompt` is a list of prompts. Raises 400 or 422."""
    body = _checked(body, _SAMPLING | _COMPLETION)
    prompt = body.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) or _is_tokens(prompt) else prompt
    if not isinstance(prompts, list) or not prompts:
        raise malformed("`prompt` must be a text, a list of tokens, or a list of those", field="prompt")
    for at, one in enumerate(prompts):
        if not one or not (isinstance(one, str) or _is_tokens(one)):
            field = f"prompt.{at}" if isinstance(prompt, list) and one is not prompt else "prompt"
            raise malformed(f"`{field}` must be a text or a list of tokens, and not empty", field=field)
    if len(prompts) * body.get("n", 1) > MAX_CHOICES:
        raise malformed(f"`prompt` asks for more than {MAX_CHOICES} texts, with `n` of each", field="prompt")
    return body | {"prompt": prompts}


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int and token >= 0 for token in value)


def _checked(body: Body, checks: Mapping[str, Check]) -> Body:
    body = {name: value for name, value in body.items() if value is not None}
    for name in _NOT_HONOURED:
        if body.get(name):
            instead = ": use `response_format`" if name in _CONSTRAINTS else ""
            raise unprocessable(f"`{name}` is not supported here{instead}", field=name)
    for name, (holds, complaint) in checks.items():
        if name in body and not holds(body[name]):
            raise malformed(f"`{name}` {complaint}", field=name)
    return body


def _response_format(given: Any, body: Body) -> Body:
    """The member that makes the engine enforce the format. TGI, and huggingface_hub for it, say `json` and `value`."""
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or kind not in (*_FORMATS, "json"):
        raise unprocessable(
            f"`response_format.type` must be one of {', '.join(_FORMATS)}", field="response_format.type"
        )
    if kind in ("regex", "grammar"):
        return _grammar(given, str(kind), body)
    return {"response_format": _json_format(given, str(kind))}


def _grammar(given: Body, kind: str, body: Body) -> Body:
    """The value is under `value`, as in TGI, or under the name of its type."""
    name = "value" if "value" in given else kind
    field, value = f"response_format.{name}", given.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(f"`{field}` must be a text: the {kind}", field=field)
    if "grammar" in body or "json_schema" in body:
        raise malformed("`response_format` cannot be combined with another constraint", field="response_format")
    if kind == "grammar":
        return {"grammar": value}
    try:
        return {"grammar": grammar_of(value)}
    except ValueError as error:
        raise unprocessable(f"`{field}` {error}", field=field) from error


def _json_format(given: Body, kind: str) -> Body:
    if "value" in given:
        return {"type": "json_object", "schema": _schema(given["value"], "response_format.value")}
    if kind == "json":
        raise malformed("`response_format.value` must be a JSON schema", field="response_format.value")
    if kind == "json_schema":
        described = given.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        return {"type": "json_object", "schema": _schema(schema, "response_format.json_schema.schema")}
    if kind == "json_object" and given.get("schema") is not None:
        _schema(given["schema"], "response_format.schema")
    return given


def _schema(schema: Any, field: str) -> Body:
    if not isinstance(schema, dict):
        raise malformed(f"`{field}` must be a JSON schema", field=field)
    return schema


def _with_tools(body: Body) -> Body:
    """Tools and the choice among them, as the engine takes both: it knows no choice of one tool by its name."""
    tools = body.pop("tools", None) or []
    choice = body.pop("tool_choice", "auto")
    if not isinstance(tools, list):
        raise malformed("`tools` must be a list", field="tools")
    tools = [_tool(tool, f"tools.{at}") for at, tool in enumerate(tools)]
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        tools = [tool for tool in tools if tool["function"]["name"] == name]
        if not tools:
            raise malformed("`tool_choice.function.name` must be one of `tools`", field="tool_choice")
        choice = "required"
    if choice not in ("none", "auto", "required"):
        raise malformed("`tool_choice` must be none, auto, required or a function", field="tool_choice")
    if choice == "required" and not tools:
        raise malformed("`tool_choice` requires `tools`", field="tool_choice")
    if not tools or choice == "none":
        return body
    if "grammar" in body:
        raise unprocessable("`response_format` cannot be a grammar or a regex where `tools` are", "response_format")
    return body | {"tools": tools, "tool_choice": choice}


def _tool(tool: Any, field: str) -> Body:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type") != "function":
        raise malformed(f'`{field}` must be {{"type": "function", "function": {{…}}}}', field=field)
    function = {name: value for name, value in function.items() if value is not None}
    if not isinstance(function.get("name"), str) or not function["name"]:
        raise malformed(f"`{field}.function.name` must be a name", field=f"{field}.function.name")
    if not isinstance(function.setdefault("parameters", {"type": "object", "properties": {}}), dict):
        raise malformed(f"`{field}.function.parameters` must be a JSON schema", field=f"{field}.function.parameters")
    return {"type": "function", "function": function}
