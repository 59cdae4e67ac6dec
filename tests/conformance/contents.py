"""Tools, resources and prompts that need no input from the client."""

import asyncio
import base64
import json
import struct
import zlib
from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

PAUSE_S = 0.05
"""Between two notifications of one call, as the scenarios ask."""


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """A tenth of a second of silence, 8 kHz, 8 bits, mono."""
    samples = b"\x80" * 800
    form = struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


IMAGE = ImageContent(type="image", data=base64.b64encode(_png()).decode(), mime_type="image/png")
AUDIO = AudioContent(type="audio", data=base64.b64encode(_wav()).decode(), mime_type="audio/wav")


def embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def register(server: MCPServer[Any]) -> None:
    _tools(server)
    _notifying_tools(server)
    _resources(server)
    _prompts(server)


def _tools(server: MCPServer[Any]) -> None:
    @server.tool(structured_output=False)
    async def test_simple_text() -> str:
        """Answer with text."""
        return "This is a simple text response for testing."

    @server.tool(structured_output=False)
    async def test_image_content() -> ImageContent:
        """Answer with an image."""
        return IMAGE

    @server.tool(structured_output=False)
    async def test_audio_content() -> AudioContent:
        """Answer with sound."""
        return AUDIO

    @server.tool(structured_output=False)
    async def test_embedded_resource() -> EmbeddedResource:
        """Answer with a resource."""
        return embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")

    @server.tool(structured_output=False)
    async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """Answer with a text, an image and a resource."""
        facts = json.dumps({"test": "data", "value": 123})
        resource = embedded("test://mixed-content-resource", "application/json", facts)
        return [TextContent(type="text", text="Multiple content types test:"), IMAGE, resource]

    @server.tool(structured_output=False)
    async def test_error_handling() -> str:
        """Fail."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool(structured_output=False)
    async def test_missing_capability(ctx: Context[Any, Any]) -> str:
        """Refuse a caller who cannot sample."""
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs a client that can sample.", needed)
        return "It can."


def _notifying_tools(server: MCPServer[Any]) -> None:
    @server.tool(structured_output=False)
    async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
        """Log three times."""
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.log("info", words)
            await asyncio.sleep(PAUSE_S)
        return "Logged three times."

    @server.tool(structured_output=False)
    async def test_logging_tool(ctx: Context[Any, Any]) -> str:
        """Log once. Only a caller that requested logs receives it."""
        await ctx.log("info", "This is logged.")
        return "Logged once."

    @server.tool(structured_output=False)
    async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
        """Tell progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(PAUSE_S)
        return "Told three times."

    @server.tool(structured_output=False)
    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
        """Say that the list of tools changed."""
        await ctx.notify_tools_changed()
        return "Said."

    @server.tool(structured_output=False)
    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
        """Say that the list of prompts changed."""
        await ctx.notify_prompts_changed()
        return "Said."


def _resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    async def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    async def static_binary() -> bytes:
        """A picture."""
        return _png()

    @server.resource("test://template/{key}/data", mime_type="application/json")
    async def template_data(key: str) -> str:
        """What belongs to a key."""
        return json.dumps({"id": key, "templateTest": True, "data": f"Data for ID: {key}"})


def _prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    async def test_simple_prompt() -> str:
        """A prompt without arguments."""
        return "This is a simple prompt for testing."

    @server.prompt()
    async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A prompt with two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
        """A prompt about a resource."""
        resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    async def test_prompt_with_image() -> list[UserMessage]:
        """A prompt about a picture."""
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]
