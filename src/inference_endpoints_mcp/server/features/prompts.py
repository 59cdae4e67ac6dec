"""Prompts: a question that people often have, filled with what the tools return at that moment."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import INVALID_PARAMS, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.token_bound import MAX_ANSWER_TOKENS
from inference_endpoints_mcp.privacy.untrusted_text import FENCE_NOTICE
from inference_endpoints_mcp.server.answers import rendering
from inference_endpoints_mcp.server.tool_calls import is_offered, tool_specs
from inference_endpoints_mcp.tools.call_context import CallContext, open_call

MAX_ARGUMENT_LENGTH = 512
MAX_QUOTAS = 50

PREAMBLE = (
    f"Below is what the tools of the Inference Endpoints server returned at {{at}}. Nothing was changed. {FENCE_NOTICE}"
)


@dataclass(frozen=True)
class PromptTool:
    """A tool that fills a prompt: which of the prompt's arguments it gets, and its constant arguments."""

    name: str
    prompt_arguments: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptTemplate:
    """How a prompt is listed, its question, and the tools that fill it."""

    prompt: Prompt
    question: str
    tools: tuple[PromptTool, ...]


def _argument(name: str, description: str, *, required: bool = False) -> PromptArgument:
    return PromptArgument(name=name, description=description, required=required)


_ONE_NAMESPACE = _argument("namespace", "User or organization. Default: your own.")

PROMPT_TEMPLATES = (
    PromptTemplate(
        Prompt(
            name="deploy_model",
            title="Deploy a model",
            description="What is known of a model, the recommended configuration, its price, and the quota left.",
            arguments=[_argument("repository", "The model, e.g. Qwen/Qwen3-8B.", required=True), _ONE_NAMESPACE],
        ),
        "How should I deploy this model, what will it cost, and what are the alternatives?",
        (
            PromptTool("has_catalog_item", ("repository",)),
            PromptTool("get_recommended_config", ("repository", "namespace")),
            PromptTool("get_quotas", ("namespace",), {"limit": MAX_QUOTAS}),
        ),
    ),
    PromptTemplate(
        Prompt(
            name="diagnose",
            title="Diagnose an endpoint",
            description="Why an endpoint does not start, answer or keep up, with the evidence and the remedy.",
            arguments=[_argument("endpoint_name", "Or namespace/name.", required=True), _ONE_NAMESPACE],
        ),
        "What is wrong with this endpoint, how certain is that, and what would help?",
        (PromptTool("diagnose_endpoint", ("endpoint_name", "namespace")),),
    ),
    PromptTemplate(
        Prompt(
            name="cut_costs",
            title="Cut costs",
            description="What every endpoint costs now and at most, how long it was idle, and possible savings.",
            arguments=[_argument("namespace", "User or organization. Default: all of yours.")],
        ),
        "Where does my money go, and what could I save?",
        (PromptTool("get_costs", ("namespace",)),),
    ),
)


TOKENS_OF_QUESTION = 500
"""Of a prompt, before the results of its tools."""


class Prompts:
    """Lists and fills the prompts whose tools policy all allows."""

    def __init__(self, policy: Policy, redactor: Redactor) -> None:
        self._policy = policy
        self._redactor = redactor

    def list_prompts(self) -> list[Prompt]:
        return [template.prompt for template in PROMPT_TEMPLATES if self._offers(template)]

    async def get_prompt(self, name: str, arguments: Mapping[str, str], context: Context[Any, Any]) -> GetPromptResult:
        """One message: the question, then the tools' results as JSON. Raises the errors of the tools."""
        template = _find_template(name)
        arguments = _validate_arguments(template.prompt, arguments)
        for tool in template.tools:
            self._policy.check_tool(tool_specs()[tool.name])
        call = await open_call(context)
        room = (MAX_ANSWER_TOKENS - TOKENS_OF_QUESTION) // len(template.tools)
        results = await asyncio.gather(*(self._call_tool(tool, call, arguments, room) for tool in template.tools))
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        text = "\n\n".join([template.question, PREAMBLE.format(at=at), *results])
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=template.prompt.description, messages=[message])

    async def _call_tool(
        self, tool: PromptTool, call: CallContext, arguments: Mapping[str, str], max_tokens: int
    ) -> str:
        passed = {name: arguments[name] for name in tool.prompt_arguments if name in arguments}
        output = await tool_specs()[tool.name].fn(call, **passed, **tool.constants)
        return f"{tool.name}:\n{rendering.to_text(rendering.to_answer(output, self._redactor, max_tokens))}"

    def _offers(self, template: PromptTemplate) -> bool:
        return all(is_offered(self._policy, tool.name) for tool in template.tools)


def _find_template(name: str) -> PromptTemplate:
    templates = {template.prompt.name: template for template in PROMPT_TEMPLATES}
    if name not in templates:
        near = rendering.find_similar_name(name[:100], templates)
        raise MCPError(INVALID_PARAMS, "Unknown prompt." + (f" Did you mean {near}?" if near else ""))
    return templates[name]


def _validate_arguments(prompt: Prompt, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments that are not empty. Raises `MCPError`, which never shows their values."""
    known = {argument.name: argument for argument in prompt.arguments or []}
    arguments = {name: value.strip() for name, value in given.items() if value.strip()}
    problems = [f"{name} is missing" for name, argument in known.items() if argument.required and name not in arguments]
    problems += [
        f"{name} is longer than {MAX_ARGUMENT_LENGTH} characters"
        for name in known
        if len(arguments.get(name, "")) > MAX_ARGUMENT_LENGTH
    ]
    if not given.keys() <= known.keys():
        problems.append("it has no such argument")
    if problems:
        reason = f"{prompt.name} cannot be filled: {'; '.join(problems)}. Its arguments: {', '.join(known)}."
        raise MCPError(INVALID_PARAMS, reason)
    return arguments
