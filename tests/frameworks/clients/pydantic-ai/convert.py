"""The tools as OpenAI (strict) and Gemini get them from Pydantic AI."""

import job
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

for rules, transformer in (("strict-openai", OpenAIJsonSchemaTransformer), ("any", GoogleJsonSchemaTransformer)):
    strict = True if rules == "strict-openai" else None
    tools = [(tool["name"], transformer(tool["inputSchema"], strict=strict).walk()) for tool in job.tools()]
    job.show(rules, tools)
