"""The tools as Anthropic gets them in strict mode: each schema transformed by its library."""

import anthropic
import job

job.show("strict-anthropic", [(tool["name"], anthropic.transform_schema(tool["inputSchema"])) for tool in job.tools()])
