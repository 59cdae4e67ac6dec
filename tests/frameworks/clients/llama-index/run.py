"""LlamaIndex's agent with llama-index-tools-mcp: a session for each call."""

import asyncio

import job
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main():
    given = job.config()
    client = BasicMCPClient(given["url"]) if "url" in given else BasicMCPClient(given["command"], args=given["args"])
    tools = await McpToolSpec(client).to_tool_list_async()
    llm = OpenAILike(
        model="scripted",
        api_base=f"{given['model_url']}/v1",
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
    )
    await FunctionAgent(tools=tools, llm=llm).run(given["prompt"], max_iterations=200)


asyncio.run(main())
