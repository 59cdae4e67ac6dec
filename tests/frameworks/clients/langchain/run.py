"""LangChain's agent, which runs on LangGraph, with langchain-mcp-adapters: a session for each call."""

import asyncio

import job
from langchain.agents import create_agent
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI
from mcp.types import ElicitResult


async def answer(mcp_context, params, context):
    return ElicitResult(**job.person(params.requestedSchema))


async def main():
    given = job.config()
    if "url" in given:
        server = {"transport": "http", "url": given["url"]}
    else:
        server = {"transport": "stdio", "command": given["command"], "args": given["args"]}
    asking = {"callbacks": Callbacks(on_elicitation=answer)} if given["person_types"] else {}
    tools = await MultiServerMCPClient({"endpoints": server}, **asking).get_tools()
    model = ChatOpenAI(model="scripted", base_url=f"{given['model_url']}/v1", api_key="none")
    await create_agent(model, tools).ainvoke({"messages": [("user", given["prompt"])]}, {"recursion_limit": 200})


asyncio.run(main())
