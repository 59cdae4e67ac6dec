"""The tools as Gemini gets them from Google's Gen AI SDK."""

import job
from google.genai import _mcp_utils
from mcp.types import Tool

converted = _mcp_utils.mcp_to_gemini_tools([Tool.model_validate(tool) for tool in job.tools()])
declared = [
    each.function_declarations[0].model_dump(mode="json", by_alias=True, exclude_none=True) for each in converted
]
job.show("gemini", [(each["name"], each["parameters"]) for each in declared])
