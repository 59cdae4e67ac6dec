"""Tools that need input from the client: a server request in the older era, an input-required result in the newer."""

import json
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

ToolContext = Context[Any, Any]


def form(message: str, **properties: Any) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text: str, max_tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def form_content(ctx: ToolContext, key: str) -> dict[str, Any] | None:
    """The content of the form with this key; None if it was not accepted."""
    answer = (ctx.input_responses or {}).get(key)
    if isinstance(answer, ElicitResult) and answer.action == "accept":
        return dict(answer.content or {})
    return None


def register(server: MCPServer[Any]) -> None:
    _register_server_requests(server)
    _register_input_requests(server)
    _register_with_state(server)
    _register_prompt(server)


def _register_server_requests(server: MCPServer[Any]) -> None:
    async def elicit(ctx: ToolContext, message: str, properties: dict[str, Any], required: list[str]) -> ElicitResult:
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.elicitation is None:
            raise ToolError("This client cannot be asked.")
        schema = {"type": "object", "properties": properties, "required": required}
        result: ElicitResult = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return result

    def describe(result: ElicitResult) -> str:
        return f"action={result.action}, content={json.dumps(result.content)}"

    @server.tool(structured_output=False)
    async def test_sampling(ctx: ToolContext, prompt: str) -> str:
        """Have the caller's model answer."""
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            raise ToolError("This client cannot sample.")
        requested = sampling(prompt, 100).params
        result = await ctx.session.create_message(
            requested.messages, max_tokens=requested.max_tokens, related_request_id=ctx.request_id
        )
        assert isinstance(result.content, TextContent)
        return f"LLM response: {result.content.text}"

    @server.tool(structured_output=False)
    async def test_elicitation(ctx: ToolContext, message: str) -> str:
        """Ask for a name and an address."""
        requested = {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        }
        return f"User response: {describe(await elicit(ctx, message, requested, list(requested)))}"

    @server.tool(structured_output=False)
    async def test_elicitation_sep1034_defaults(ctx: ToolContext) -> str:
        """Ask with a default for each kind of value."""
        requested = {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        }
        return f"Elicitation completed: {describe(await elicit(ctx, 'Please check.', requested, []))}"

    @server.tool(structured_output=False)
    async def test_elicitation_sep1330_enums(ctx: ToolContext) -> str:
        """Ask with each kind of choice."""
        plain = ["option1", "option2", "option3"]
        titled = [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(_WORDS, 1)]
        several = [{"const": f"value{n}", "title": f"{word} Choice"} for n, word in enumerate(_WORDS, 1)]
        names = ["Option One", "Option Two", "Option Three"]
        requested = {
            "untitledSingle": {"type": "string", "enum": plain},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
            "titledMulti": {"type": "array", "items": {"anyOf": several}},
        }
        return f"Elicitation completed: {describe(await elicit(ctx, 'Please choose.', requested, []))}"


_WORDS = ("First", "Second", "Third")


def _register_input_requests(server: MCPServer[Any]) -> None:
    @server.tool(structured_output=False)
    async def test_input_required_result_elicitation(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask for a name."""
        answer = form_content(ctx, "user_name")
        if answer is None:
            return InputRequiredResult(
                input_requests={"user_name": form("What is your name?", name={"type": "string"})}
            )
        return f"Hello, {answer.get('name')}!"

    @server.tool(structured_output=False)
    async def test_input_required_result_sampling(ctx: ToolContext) -> str | InputRequiredResult:
        """Have the caller's model answer."""
        answer = (ctx.input_responses or {}).get("capital_question")
        if not isinstance(answer, CreateMessageResult):
            return InputRequiredResult(
                input_requests={"capital_question": sampling("What is the capital of France?", 100)}
            )
        return answer.content.text if isinstance(answer.content, TextContent) else "It returned no text."

    @server.tool(structured_output=False)
    async def test_input_required_result_list_roots(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask which folders there are."""
        answer = (ctx.input_responses or {}).get("client_roots")
        if not isinstance(answer, ListRootsResult):
            return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
        return "Roots: " + ", ".join(str(root.uri) for root in answer.roots)

    _register_by_capability(server)


def _register_by_capability(server: MCPServer[Any]) -> None:
    @server.tool(structured_output=False)
    async def test_input_required_result_capabilities(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask only what the caller can answer."""
        if ctx.input_responses:
            return "Thank you."
        capabilities = ctx.client_capabilities
        requested: dict[str, Any] = {}
        if capabilities and capabilities.sampling is not None:
            requested["sampled"] = sampling("Say something.", 50)
        if capabilities and capabilities.elicitation is not None:
            requested["filled_in"] = form("What is your name?", name={"type": "string"})
        return InputRequiredResult(input_requests=requested) if requested else "This client can be asked nothing."

    @server.tool(structured_output=False)
    async def test_streaming_elicitation(ctx: ToolContext) -> str | InputRequiredResult:
        """Report progress, then ask."""
        await ctx.report_progress(1, 2)
        if form_content(ctx, "name") is None:
            return InputRequiredResult(input_requests={"name": form("What is your name?", name={"type": "string"})})
        return "Thank you."


def _register_with_state(server: MCPServer[Any]) -> None:
    # The state is sealed and checked by the server's own middleware.
    confirm = form("Please confirm", ok={"type": "boolean"})

    @server.tool(structured_output=False)
    async def test_input_required_result_request_state(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask, and require the state back."""
        if form_content(ctx, "confirm") is None or ctx.request_state != "waiting":
            return InputRequiredResult(input_requests={"confirm": confirm}, request_state="waiting")
        return "state-ok"

    @server.tool(structured_output=False)
    async def test_input_required_result_tampered_state(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask, and accept no state but its own."""
        if form_content(ctx, "confirm") is None:
            return InputRequiredResult(input_requests={"confirm": confirm}, request_state="guarded")
        return "state-ok"

    @server.tool(structured_output=False)
    async def test_input_required_result_multiple_inputs(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask three things at once."""
        requested: dict[str, Any] = {
            "user_name": form("What is your name?", name={"type": "string"}),
            "greeting": sampling("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        if requested.keys() - (ctx.input_responses or {}).keys() or ctx.request_state != "three":
            return InputRequiredResult(input_requests=requested, request_state="three")
        return "Thank you for all three."

    @server.tool(structured_output=False)
    async def test_input_required_result_multi_round(ctx: ToolContext) -> str | InputRequiredResult:
        """Ask twice, one after the other."""
        if ctx.request_state is None:
            first = form("Step 1: What is your name?", name={"type": "string"})
            return InputRequiredResult(input_requests={"step1": first}, request_state="1")
        name = form_content(ctx, "step1")
        if name is not None:
            second = form("Step 2: What is your favorite color?", color={"type": "string"})
            return InputRequiredResult(input_requests={"step2": second}, request_state=json.dumps(name))
        return f"{json.loads(ctx.request_state)} likes {form_content(ctx, 'step2')}"


def _register_prompt(server: MCPServer[Any]) -> None:
    @server.prompt()
    async def test_input_required_result_prompt(ctx: ToolContext) -> str | InputRequiredResult:
        """A prompt that needs input first."""
        answer = form_content(ctx, "user_context")
        if answer is None:
            requested = form("What context should the prompt use?", context={"type": "string"})
            return InputRequiredResult(input_requests={"user_context": requested})
        return f"Use this context: {answer.get('context')}"
