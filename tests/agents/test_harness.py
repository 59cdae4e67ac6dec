"""The harness scores what a model did: here models whose every turn is written down."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool
from tests.agents.chat_model import Message, Turn
from tests.agents.jobs import JOBS, SMALL, Job
from tests.agents.trial import MOST_CALLS, try_job

pytestmark = pytest.mark.anyio

BY_NAME = {job.name: job for job in JOBS}
QWEN = {"endpoint_name": "qwen", "repository": SMALL, "hardware": "aws-us-east-1-nvidia-l4-x1"}


class ScriptedModel:
    """Makes these calls one after the other, then says what it was told last."""

    def __init__(self, *calls: tuple[str, dict[str, Any]]) -> None:
        self._calls = list(calls)

    async def answer(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Turn:
        if not self._calls:
            return Turn({"role": "assistant", "content": messages[-1]["content"]}, 10)
        name, arguments = self._calls.pop(0)
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"id": "1", "type": "function", "function": function}
        return Turn({"role": "assistant", "content": None, "tool_calls": [call]}, 100)


@pytest.mark.parametrize(
    ("job", "calls"),
    [
        ("saving", [("get_costs", {})]),
        ("gated model", [("diagnose_endpoint", {"endpoint_name": "chat"})]),
        ("delete a set", [("delete_endpoint", {"where": "state=paused tag=experiment"})]),
        (
            "resume",
            [
                ("update_endpoint", {"endpoint_name": "chat", "min_replica": 1, "max_replica": 4}),
                ("resume_endpoint", {"endpoint_name": "chat"}),
            ],
        ),
        ("sleeper", [("get_endpoint", {"endpoint_name": "chat"})]),
        ("update", [("update_endpoint", {"endpoint_name": "chat", "max_replica": 3, "env": {"LOG_LEVEL": "debug"}})]),
        ("quota", [("pause_endpoint", {"endpoint_name": "older"}), ("create_endpoint", QWEN)]),
        ("failed update", [("update_endpoint", {"endpoint_name": "chat", "repository": SMALL})]),
        ("no hardware", [("update_endpoint", {"endpoint_name": "chat", "hardware": "aws-us-east-1-nvidia-t4-x1"})]),
        ("region", [("update_endpoint", {"endpoint_name": "chat", "hardware": "aws-eu-west-1-nvidia-t4-x1"})]),
        ("fleet", [("scale_endpoint_to_zero", {"where": "idle>7d"})]),
    ],
)
async def test_a_model_that_does_it_well_succeeds(
    job: str, calls: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    score = await try_job(ScriptedModel(*calls), BY_NAME[job], tmp_path)
    assert (score.success, score.calls, score.tokens, score.why) == (True, len(calls), 100 * len(calls) + 10, "")


@pytest.mark.parametrize(
    ("job", "calls"),
    [
        (BY_NAME["delete a set"], [("delete_endpoint", {"where": "tag=experiment"})]),
        (BY_NAME["sleeper"], [("resume_endpoint", {"endpoint_name": "chat"})]),
        (BY_NAME["update"], [("no_such_tool", {}), ("update_endpoint", {"endpoint_name": "chat", "replicas": 3})]),
        (BY_NAME["resume"], []),
        (BY_NAME["quota"], [("pause_endpoint", {"endpoint_name": "old"}), ("create_endpoint", QWEN)]),
        (BY_NAME["failed update"], [("update_endpoint", {"endpoint_name": "chat", "max_replica": 2})]),
        (BY_NAME["no hardware"], [("wait_for_endpoint", {"endpoint_name": "chat", "timeout_s": 1})]),
        (BY_NAME["region"], [("update_endpoint", {"endpoint_name": "chat", "hardware": "aws-us-west-2-nvidia-t4-x1"})]),
    ],
)
async def test_a_model_that_does_another_thing_or_nothing_fails(job: Job, calls: list[Any], tmp_path: Path) -> None:
    score = await try_job(ScriptedModel(*calls), job, tmp_path)
    assert (score.success, score.calls) == (False, len(calls))


async def test_a_model_that_never_ends_is_stopped(tmp_path: Path) -> None:
    score = await try_job(ScriptedModel(*[("list_endpoints", {})] * 100), BY_NAME["resume"], tmp_path)
    assert (score.calls, score.why) == (MOST_CALLS, "too many calls")
