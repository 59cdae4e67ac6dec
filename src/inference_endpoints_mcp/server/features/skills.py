"""The skills of this package over MCP: listed with digests, and read as resources.

Source: the extension `io.modelcontextprotocol/skills` (SEP-2640).
"""

from collections.abc import Sequence
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import INVALID_PARAMS, PaginatedRequestParams, RequestParams, Resource

from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.server.tool_calls import is_offered
from inference_endpoints_mcp.skills.library import Skill, load_skills

SCHEME = "skill://"
_CACHING = {"ttlMs": 3_600_000, "cacheScope": "private"}
_MARKDOWN = "text/markdown"


class SkillParams(RequestParams):
    uri: str


class SkillsExtension(Extension):
    """Serves the skills whose every call policy allows: the others would end in refusals."""

    identifier = "io.modelcontextprotocol/skills"

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("skills/list", PaginatedRequestParams, self._list),
            MethodBinding("skills/get", SkillParams, self._get),
        ]

    def list_files(self) -> list[Resource]:
        """The files of the skills, as resources."""
        return [
            Resource(
                uri=skill.uri,
                name=skill.name,
                description=skill.description,
                mime_type=_MARKDOWN,
                size=len(skill.content),
            )
            for skill in self._offered()
        ]

    def read_file(self, uri: str) -> ReadResourceContents:
        """Raises `MCPError` if no skill has this file."""
        return ReadResourceContents(self._find(uri).text, _MARKDOWN)

    async def _list(self, _: ServerRequestContext[Any, Any], __: PaginatedRequestParams) -> dict[str, Any]:
        return {"skills": [_entry(skill) for skill in self._offered()], **_CACHING}

    async def _get(self, _: ServerRequestContext[Any, Any], params: SkillParams) -> dict[str, Any]:
        return {"skill": _entry(self._find(params.uri)), **_CACHING}

    def _offered(self) -> list[Skill]:
        return [skill for skill in load_skills().values() if self._offers(skill)]

    def _offers(self, skill: Skill) -> bool:
        return all(is_offered(self._policy, tool) for tool, _ in skill.calls)

    def _find(self, uri: str) -> Skill:
        skill = load_skills().get(uri)
        if skill is None or not self._offers(skill):
            raise MCPError(INVALID_PARAMS, "There is no such skill: skills/list shows which there are.", {"uri": uri})
        return skill


def _entry(skill: Skill) -> dict[str, Any]:
    file = {"uri": skill.uri, "digest": skill.digest, "size": len(skill.content)}
    return {"uri": skill.uri, "frontmatter": skill.frontmatter, "resources": [file]}
