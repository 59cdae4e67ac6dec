"""The tools as Gemini gets them from LangChain."""

import job
from langchain_core.tools import StructuredTool
from langchain_google_genai._function_utils import convert_to_genai_function_declarations

tools = [
    StructuredTool(name=tool["name"], description=tool["description"], args_schema=tool["inputSchema"], func=print)
    for tool in job.tools()
]
converted = convert_to_genai_function_declarations(tools)
declared = [
    each.model_dump(mode="json", by_alias=True, exclude_none=True)
    for tool in (converted if isinstance(converted, list) else [converted])
    for each in tool.function_declarations
]
job.show("gemini", [(each["name"], each["parameters"]) for each in declared])
