"""An agent that does what a skill says: its calls in their order, and those under `next` where it says so."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.hosts.host import Host

from inference_endpoints_mcp.skills.library import Skill


def filled(arguments: str, words: dict[str, str]) -> dict[str, Any]:
    """The arguments of a call, with the words in `<…>` filled in."""
    for word, value in words.items():
        arguments = arguments.replace(f"<{word}>", value)
    return dict(json.loads(arguments))


@dataclass
class ScriptedAgent:
    host: Host
    skill: Skill
    words: dict[str, str]
    called: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    """The newest."""

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make a call until it is done: with the token of a plan that the user agrees to, or with the call that goes
        on."""
        self.called.append(tool)
        self.answer = await self.host.call(tool, **arguments)
        if (token := self.answer.get("plan_token")) and not arguments.get("dry_run"):
            return await self.call(tool, arguments | {"plan_token": token})
        if self.answer.get("reached") is False or self.answer.get("finished") is False:
            return await self.follow()
        return self.answer

    async def follow(self) -> dict[str, Any]:
        """The call under `next`."""
        following = self.answer["next"][0]
        return await self.call(following["tool"], following["arguments"])

    async def do(self, *tools: str) -> dict[str, Any]:
        """The calls that the skill has for these tools, in its order."""
        for tool, arguments in self.skill.calls:
            if tool in tools:
                await self.call(tool, filled(arguments, self.words))
        return self.answer
