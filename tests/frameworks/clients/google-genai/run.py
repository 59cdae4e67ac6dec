"""Google's Gen AI SDK: a session of the Python SDK as a tool, called automatically."""

import asyncio

import job
from google import genai
from google.genai import types
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult


async def answer(context, params):
    return ElicitResult(**job.person(params.requested_schema))


async def main():
    given = job.config()
    if "url" in given:
        streams = streamable_http_client(given["url"])
    else:
        streams = stdio_client(StdioServerParameters(command=given["command"], args=given["args"]))
    asking = {"elicitation_callback": answer} if given["person_types"] else {}
    async with streams as (read, write), ClientSession(read, write, **asking) as session:
        await session.initialize()
        # A chat, or a GenerateContentConfig, copies the session and fails: python-genai#2669.
        config = {"tools": [session]}
        contents = [types.UserContent(given["prompt"])]
        while True:
            response = await genai.Client().aio.models.generate_content(
                model="gemini-2.5-flash", contents=contents, config=config
            )
            if response.text:
                return
            # It makes ten calls for one request.
            contents = [*response.automatic_function_calling_history, types.UserContent("Go on.")]


job.provide("GEMINI")
asyncio.run(main())
