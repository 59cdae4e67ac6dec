"""huggingface_hub's tiny-agents."""

import asyncio

import job
from huggingface_hub import Agent


async def main():
    given = job.config()
    if "url" in given:
        server = {"type": "http", "url": given["url"]}
    else:
        server = {"type": "stdio", "command": given["command"], "args": given["args"]}
    async with Agent(model="scripted", base_url=given["model_url"], api_key="none", servers=[server]) as agent:
        await agent.load_tools()
        async for _ in agent.run(given["prompt"]):
            pass


asyncio.run(main())
