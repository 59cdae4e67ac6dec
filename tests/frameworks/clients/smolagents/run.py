"""smolagents' agent, with mcpadapt below its client."""

import job
from mcp import StdioServerParameters
from smolagents import MCPClient, OpenAIServerModel, ToolCallingAgent

given = job.config()
if "url" in given:
    server = {"url": given["url"], "transport": "streamable-http"}
else:
    server = StdioServerParameters(command=given["command"], args=given["args"])
with MCPClient(server) as tools:
    model = OpenAIServerModel("scripted", api_base=f"{given['model_url']}/v1", api_key="none")
    ToolCallingAgent(tools=tools, model=model, max_steps=200).run(given["prompt"])
